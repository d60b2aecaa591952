Feature: Waiting
  Scenario: A wait survives death
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: wait, version: 1.0.0}
    do:
      - before:
          set: {n: 1}
      - pause:
          wait: {hours: 2}
      - after:
          set: {n: '${ .n + 1 }'}
    """
    When the workflow is executed
    Then the workflow should be waiting
    When PT1H59M passes
    Then the workflow should be waiting
    And after should not run
    When PT1M passes
    Then the workflow should complete with output:
    """yaml
    n: 2
    """
    And it survives a crash at every point

  Scenario: A duration may be an expression
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: wait, version: 1.0.0}
    do:
      - pause:
          wait: ${ "PT\(.minutes)M" }
    """
    And given the workflow input is:
    """yaml
    minutes: 3
    """
    When the workflow is executed
    And PT2M passes
    Then the workflow should be waiting
    When PT1M passes
    Then the workflow should complete
