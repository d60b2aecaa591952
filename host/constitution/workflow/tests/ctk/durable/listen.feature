Feature: Listening
  Scenario: One event of the right kind and order
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: listen, version: 1.0.0}
    do:
      - paid:
          listen:
            to:
              one:
                with: {type: com.shop.paid}
                correlate:
                  order: {from: .data.order, expect: '${ .order }'}
    """
    And given the workflow input is:
    """yaml
    order: A7
    """
    When the workflow is executed
    And an event arrives:
    """yaml
    {id: '1', source: /s, type: com.shop.shipped, data: {order: A7}}
    """
    And an event arrives:
    """yaml
    {id: '2', source: /s, type: com.shop.paid, data: {order: B1}}
    """
    Then the workflow should be waiting
    When an event arrives:
    """yaml
    {id: '3', source: /s, type: com.shop.paid, data: {order: A7, sum: 5}}
    """
    Then the workflow should complete with output:
    """yaml
    - {order: A7, sum: 5}
    """
    And it survives a crash at every point

  Scenario: All events of the same room, each once
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: listen, version: 1.0.0}
    do:
      - readings:
          listen:
            to:
              all:
                - with: {type: temperature}
                  correlate: {room: {from: .room}}
                - with: {type: humidity}
                  correlate: {room: {from: .room}}
            read: envelope
          output:
            as: '[.[] | .data.v]'
    """
    When the workflow is executed
    And an event arrives:
    """yaml
    {id: '1', source: /s, type: temperature, room: 1, data: {v: 20}}
    """
    And an event arrives:
    """yaml
    {id: '1', source: /s, type: temperature, room: 1, data: {v: 20}}
    """
    And an event arrives:
    """yaml
    {id: '2', source: /s, type: humidity, room: 2, data: {v: 50}}
    """
    Then the workflow should be waiting
    When an event arrives:
    """yaml
    {id: '3', source: /s, type: humidity, room: 1, data: {v: 60}}
    """
    Then the workflow should complete with output:
    """yaml
    [20, 60]
    """
    And it survives a crash at every point

  Scenario: Any event until enough came, one after the other
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: listen, version: 1.0.0}
    do:
      - votes:
          listen:
            to:
              any:
                - with: {type: vote}
              until: ( . | length ) >= 2
          foreach:
            item: vote
            at: i
            do:
              - count:
                  call: records.insert
                  with: {collection: votes, record: {by: '${ $vote.by }', n: '${ $i }'}}
            output:
              as: .record
    """
    When the workflow is executed
    And an event arrives:
    """yaml
    {id: '1', source: /s, type: vote, data: {by: ada}}
    """
    And an event arrives:
    """yaml
    {id: '2', source: /s, type: vote, data: {by: bob}}
    """
    Then the workflow should complete with output:
    """yaml
    - {by: ada, n: 0}
    - {by: bob, n: 1}
    """
    And the effect of 'count' should have happened 2 times
    And it survives a crash at every point

  Scenario: Until another event, which is no part of the result
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: listen, version: 1.0.0}
    do:
      - offers:
          listen:
            to:
              any:
                - with: {type: offer, data: '${ .price > 10 }'}
              until:
                one:
                  with: {type: closed}
    """
    When the workflow is executed
    And an event arrives:
    """yaml
    {id: '1', source: /s, type: offer, data: {price: 5}}
    """
    And an event arrives:
    """yaml
    {id: '2', source: /s, type: offer, data: {price: 15}}
    """
    And an event arrives:
    """yaml
    {id: '3', source: /s, type: offer, data: {}}
    """
    And an event arrives:
    """yaml
    {id: '4', source: /s, type: closed}
    """
    Then the workflow should complete with output:
    """yaml
    - {price: 15}
    """
