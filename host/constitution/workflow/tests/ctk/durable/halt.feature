Feature: Effects that people hold back
  Scenario: Time under a halt is not counted
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: halt, version: 1.0.0}
    timeout: {after: PT1M}
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
              with: {status: 408}
            do:
              - note: {set: {late: true}}
    """
    And the task 'slow' is not answered
    And the task 'slow' is not answered
    When the workflow is executed
    And PT4S passes
    And the effect of 'slow' is held back
    And P3D passes
    Then the workflow should be running
    When the effect of 'slow' may happen
    And PT5S passes
    Then the workflow should be running
    When PT1S passes
    Then the workflow should complete with output:
    """yaml
    late: true
    """
    And it survives a crash at every point

  Scenario: An effect that may happen after a halt happens once
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: halt, version: 1.0.0}
    do:
      - pay:
          call: connector
          with: {plugin: bank, operation: pay}
          metadata: {effect: at-most-once}
          timeout: {after: PT1M}
    """
    And the task 'pay' is not answered
    And the task 'pay' answers:
    """yaml
    {paid: 50}
    """
    When the workflow is executed
    And the effect of 'pay' is held back
    And PT2H passes
    And the effect of 'pay' may happen
    Then the workflow should complete with output:
    """yaml
    {paid: 50}
    """
    And the effect of 'pay' should have happened 1 times

  Scenario: One branch is held back, the other goes on, and what is around both waits for it
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: halt, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - held:
                  call: connector
                  with: {plugin: bank, operation: pay}
                  metadata: {effect: idempotent}
              - limited:
                  try:
                    - other:
                        call: connector
                        with: {plugin: mail, operation: send}
                        metadata: {effect: idempotent}
                        timeout: {after: PT10S}
                  catch:
                    do:
                      - late: {set: {late: true}}
          timeout: {after: PT30S}
    """
    And the task 'held' is not answered
    And the task 'held' answers:
    """yaml
    {paid: 50}
    """
    And the task 'other' is not answered
    When the workflow is executed
    And the effect of 'held' is held back
    And PT1H passes
    Then late should complete
    And the workflow should be running
    When the effect of 'held' may happen
    Then the workflow should complete with output:
    """yaml
    - {paid: 50}
    - {late: true}
    """

  Scenario: What was late before the halt is late
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: halt, version: 1.0.0}
    do:
      - guarded:
          try:
            - first:
                call: connector
                with: {plugin: mail, operation: send}
                metadata: {effect: idempotent}
                timeout: {after: PT10S}
          catch:
            do:
              - second:
                  call: connector
                  with: {plugin: mail, operation: send}
                  metadata: {effect: idempotent}
          timeout: {after: PT20S}
    """
    And the task 'first' is not answered
    And the task 'second' is not answered
    When the workflow is executed
    And PT15S passes
    And the effect of 'second' is held back
    And P1D passes
    And the workflow is cancelled for 'it was withdrawn'
    Then the workflow should cancel
    And second should cancel

  Scenario: Limits stand still while a workflow is suspended
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: halt, version: 1.0.0}
    do:
      - ask:
          call: human.approve
          with: {title: Pay, role: finance, deadline: PT1H}
    """
    And the task 'ask' is not answered
    When the workflow is executed
    And the workflow is suspended
    And P2D passes
    And the workflow is resumed
    And PT59M passes
    Then the workflow should be waiting
    When PT1M passes
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
