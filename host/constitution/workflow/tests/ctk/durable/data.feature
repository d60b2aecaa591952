Feature: Data
  Scenario: Input that does not fit its schema never starts
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: data, version: 1.0.0}
    input:
      schema:
        document: {type: object, required: [amount], properties: {amount: {type: integer}}}
    do:
      - pay:
          call: records.insert
          with: {collection: payments, record: {}}
    """
    And given the workflow input is:
    """yaml
    amount: many
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """
    And the effect of 'pay' should have happened 0 times

  Scenario: Input, output, export and the arguments of the runtime
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: data, version: 1.2.3}
    input: {from: .order}
    use: {secrets: [token]}
    do:
      - first:
          input: {from: '{id, token: $secrets.token}'}
          set: {seen: '${ . }', was: '${ $task.input.id }', name: '${ $task.name }'}
          output: {as: '. + {raw: $workflow.input.order.id}'}
          export: {as: '{first: $output.seen.id}'}
      - second:
          set:
            context: ${ $context }
            version: ${ $workflow.definition.document.version }
            before: ${ $input }
            by: ${ $runtime.name }
    output: {as: '. + {id: $workflow.id}'}
    """
    And given the workflow input is:
    """yaml
    order: {id: 5}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    context: {first: 5}
    version: 1.2.3
    before: {seen: {id: 5, token: '{{secret:token}}'}, was: 5, name: first, raw: 5}
    by: polity
    id: run-1
    """

  Scenario: Expressions in data are data
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: data, version: 1.0.0}
    do:
      - pass: {set: {text: '${ .text }'}}
      - on: {set: {text: '${ .text }'}}
    """
    And given the workflow input is:
    """yaml
    text: ${ 1 + 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    text: ${ 1 + 1 }
    """
