Feature: Operator
  Scenario: Suspended, and resumed where it was
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: operator, version: 1.0.0}
    do:
      - first:
          call: human.task
          with: {title: Look, role: editor}
      - second: {set: {seen: '${ .by }'}}
    """
    And the task 'first' is not answered
    When the workflow is executed
    And the workflow is suspended
    Then the workflow should be suspended
    When a person answers 'first'
    """yaml
    by: eva
    """
    Then the workflow should be suspended
    And second should not run
    When the workflow is resumed
    Then the workflow should complete with output:
    """yaml
    seen: eva
    """
    And it survives a crash at every point

  Scenario: Cancelled for good
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: operator, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - pause: {wait: P1D}
              - ask:
                  call: human.task
                  with: {title: Look, role: editor}
    """
    And the task 'ask' is not answered
    When the workflow is executed
    And the workflow is cancelled for 'the order was withdrawn'
    Then the workflow should cancel
    And pause should cancel
    And ask should cancel
    And nobody should be asked by 'ask'
    When P2D passes
    Then the workflow should cancel
