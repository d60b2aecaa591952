Feature: Timeouts
  Scenario: A task that takes too long is an error that can be caught
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: timeout, version: 1.0.0}
    do:
      - guarded:
          try:
            - slow:
                call: connector
                with: {plugin: mail, operation: send}
                metadata: {effect: idempotent}
                timeout: {after: PT10S}
          catch:
            errors:
              with: {type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout}
            do:
              - note:
                  set: {late: '${ $error.status }', at: '${ $error.instance }'}
    """
    And the task 'slow' is not answered
    When the workflow is executed
    And PT9S passes
    Then the workflow should be running
    When PT1S passes
    Then the workflow should complete with output:
    """yaml
    late: 408
    at: /do/0/guarded/try/0/slow
    """
    And it survives a crash at every point

  Scenario: The workflow as a whole takes too long
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: timeout, version: 1.0.0}
    timeout: {after: {minutes: 1}}
    do:
      - tryAnyway:
          try:
            - pause: {wait: PT2M}
          catch:
            do:
              - never: {set: {x: 1}}
    """
    When the workflow is executed
    And PT5M passes
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And never should not run
    And pause should cancel

  Scenario: An answer after the deadline is late
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: timeout, version: 1.0.0}
    do:
      - ask:
          call: human.approve
          with: {title: Pay, role: finance, deadline: PT1H}
    """
    And the task 'ask' is not answered
    When the workflow is executed
    Then the workflow should be waiting
    When PT1H passes
    Then the workflow should fault with error:
    """yaml
    status: 408
    instance: /do/0/ask
    """
    When a person answers too late 'ask'
    """yaml
    {decision: approved}
    """
    Then the workflow should fault
