Feature: Retries
  Scenario: Again with growing delays, under the same key
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: retry, version: 1.0.0}
    do:
      - charge:
          try:
            - pay:
                call: connector
                with: {plugin: bank, operation: pay}
                metadata: {effect: idempotent}
          catch:
            errors:
              with: {status: 503}
            retry:
              delay: PT1S
              backoff: {exponential: {}}
              limit: {attempt: {count: 3}}
    """
    And the task 'pay' fails 2 times with status 503
    And the task 'pay' answers:
    """yaml
    ok: true
    """
    When the workflow is executed
    Then the workflow should be waiting
    When PT1S passes
    Then the workflow should be waiting
    When PT2S passes
    Then the workflow should complete with output:
    """yaml
    ok: true
    """
    And charge should be retried
    And it survives a crash at every point

  Scenario: When no attempt is left the handler runs
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: retry, version: 1.0.0}
    use:
      retries:
        twice: {delay: PT1S, limit: {attempt: {count: 2}}}
    do:
      - charge:
          try:
            - pay:
                call: connector
                with: {plugin: bank, operation: pay}
                metadata: {effect: idempotent}
          catch:
            retry: twice
            as: why
            do:
              - giveUp:
                  set: {status: '${ $why.status }'}
    """
    And the task 'pay' fails 9 times with status 503
    When the workflow is executed
    And PT1M passes
    Then the workflow should complete with output:
    """yaml
    status: 503
    """
    And the effect of 'charge/try/0/pay' should have happened 3 times
    And it survives a crash at every point

  Scenario: Without a handler the error goes on when no attempt is left
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: retry, version: 1.0.0}
    do:
      - charge:
          try:
            - pay:
                call: connector
                with: {plugin: bank, operation: pay}
                metadata: {effect: idempotent}
          catch:
            retry: {delay: PT1S, limit: {duration: PT2S}}
    """
    And the task 'pay' fails 9 times with status 503
    When the workflow is executed
    And PT1M passes
    Then the workflow should fault with error:
    """yaml
    status: 503
    instance: /do/0/charge/try/0/pay
    """

  Scenario: Other errors are not retried
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: retry, version: 1.0.0}
    do:
      - charge:
          try:
            - pay:
                call: connector
                with: {plugin: bank, operation: pay}
                metadata: {effect: idempotent}
          catch:
            when: $error.status >= 500
            retry: {delay: PT1S, limit: {attempt: {count: 3}}}
    """
    And the task 'pay' fails 1 times with status 402
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 402
    """
    And the effect of 'charge' should have happened 1 times

  Scenario: An attempt that takes too long is tried again
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: retry, version: 1.0.0}
    do:
      - ask:
          try:
            - pause: {wait: PT1H}
          catch:
            retry: {limit: {attempt: {count: 1, duration: PT10S}}}
            do:
              - tooSlow: {set: {gaveUp: true}}
    """
    When the workflow is executed
    And PT10S passes
    Then the workflow should be waiting
    When PT10S passes
    Then the workflow should complete with output:
    """yaml
    gaveUp: true
    """
