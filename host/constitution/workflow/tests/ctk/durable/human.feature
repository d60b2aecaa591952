Feature: Human gate
  Scenario: Approved in time
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: gate, version: 1.0.0}
    do:
      - ask:
          call: human.approve
          with:
            title: ${ "Refund \(.amount)?" }
            role: finance
            proposal: ${ . }
            deadline: P1D
            escalate: {role: owner}
      - decided:
          switch:
            - yes: {when: .decision == "approved", then: pay}
            - otherwise: {then: refuse}
      - pay:
          call: records.insert
          with: {collection: payments, record: {by: '${ .by }'}}
          then: end
      - refuse:
          set: {refused: true}
    """
    And given the workflow input is:
    """yaml
    amount: 40
    """
    And the task 'ask' is not answered
    When the workflow is executed
    Then the workflow should be waiting
    When PT3H passes
    And a person answers 'ask'
    """yaml
    {decision: approved, by: ada}
    """
    Then the workflow should complete
    And the effect of 'pay' should have happened 1 times
    And refuse should not run

  Scenario: Silence never approves
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: gate, version: 1.0.0}
    do:
      - gate:
          try:
            - ask:
                call: human.approve
                with: {title: Refund?, role: finance, deadline: PT1H}
          catch:
            errors: {with: {status: 408}}
            do:
              - escalated:
                  call: human.approve
                  with: {title: Refund? Finance was silent, role: owner, deadline: PT1H}
      - pay:
          if: .decision == "approved"
          call: records.insert
          with: {collection: payments, record: {}}
    """
    And the task 'ask' is not answered
    And the task 'escalated' is not answered
    When the workflow is executed
    And PT1H passes
    Then the workflow should be waiting
    And nobody should be asked by 'ask'
    When PT1H passes
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And the effect of 'pay' should have happened 0 times
    And it survives a crash at every point

  Scenario: A missing fact stops a decision instead of taking it
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: gate, version: 1.0.0}
    do:
      - small:
          switch:
            - small: {when: .amount <= 500, then: pay}
            - otherwise: {then: refuse}
      - pay:
          call: records.insert
          with: {collection: payments, record: {}}
          then: end
      - refuse: {set: {refused: true}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/small
    """
    And pay should not run
