Feature: Flow
  Scenario: Branches run at once and their outputs stand in order
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: fork, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - slow:
                  do:
                    - pause: {wait: PT2M}
                    - a: {set: {name: slow}}
              - fast:
                  do:
                    - pause: {wait: PT1M}
                    - b:
                        call: records.insert
                        with: {collection: log, record: {name: fast}}
                        output: {as: .record}
    """
    When the workflow is executed
    And PT2M passes
    Then the workflow should complete with output:
    """yaml
    - name: slow
    - name: fast
    """
    And b should run before a
    And it survives a crash at every point

  Scenario: In a race the first wins and the others are cancelled
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: fork, version: 1.0.0}
    do:
      - race:
          fork:
            compete: true
            branches:
              - answer:
                  call: human.task
                  with: {title: Quick, role: editor}
              - clock:
                  do:
                    - pause: {wait: PT1H}
                    - late: {set: {late: true}}
    """
    And the task 'answer' is not answered
    When the workflow is executed
    And PT1H passes
    Then the workflow should complete with output:
    """yaml
    late: true
    """
    And answer should cancel
    And it survives a crash at every point

  Scenario: A loop performs its effect once a round, with a key of its own
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: loop, version: 1.0.0}
    do:
      - all:
          for: {each: site, in: .sites}
          do:
            - publish:
                call: connector
                with: {plugin: cms, operation: publish, input: {site: '${ $site }'}}
                metadata: {effect: idempotent}
            - rest: {wait: PT1S}
    """
    And given the workflow input is:
    """yaml
    sites: [a, b, c]
    """
    When the workflow is executed
    And PT1M passes
    Then the workflow should complete
    And the effect of 'all' should have happened 3 times
    And it survives a crash at every point

  Scenario: Going back enters a task again
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: back, version: 1.0.0}
    do:
      - count: {set: {n: '${ (.n // 0) + 1 }'}}
      - note:
          call: records.insert
          with: {collection: rounds, record: {n: '${ .n }'}}
          output: {as: .record}
      - again:
          switch:
            - more: {when: .n < 3, then: count}
            - enough: {then: end}
    """
    And given the workflow input is:
    """yaml
    {}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 3
    """
    And the effect of 'note' should have happened 3 times
    And it survives a crash at every point

  Scenario: A function of the document, another workflow, and an event
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: parts, version: 1.0.0}
    use:
      functions:
        greet:
          set: {text: '${ "Hello " + .name }'}
    do:
      - hello:
          call: greet
          with: {name: '${ .who }'}
      - child:
          run:
            workflow: {namespace: d, name: other, version: 1.0.0, input: {text: '${ .text }'}}
          output: {as: '.input'}
      - tell:
          emit:
            event: {with: {type: d.told, data: '${ . }'}}
          output: {as: '{type, data, id}'}
    """
    And given the workflow input is:
    """yaml
    who: Eva
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    type: d.told
    data: {text: Hello Eva}
    id: run-1/do/2/tell
    """
    And it survives a crash at every point

  Scenario: End inside a branch ends the workflow
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: end, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - stop: {set: {done: true}, then: end}
              - wait: {wait: P1D}
      - never: {set: {x: 1}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    done: true
    """
    And never should not run
