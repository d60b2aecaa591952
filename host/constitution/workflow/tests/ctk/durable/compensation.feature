Feature: Compensation
  Scenario: What was booked is released when a later step fails
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: trip, version: 1.0.0}
    do:
      - trip:
          try:
            - bookHotel:
                call: connector
                with: {plugin: hotels, operation: book}
                metadata: {effect: idempotent}
                export: {as: '$context + {hotel: .id}'}
            - bookFlight:
                call: connector
                with: {plugin: flights, operation: book}
                metadata: {effect: idempotent}
          catch:
            do:
              - releaseHotel:
                  if: $context.hotel != null
                  call: connector
                  with: {plugin: hotels, operation: cancel, input: {id: '${ $context.hotel }'}}
                  metadata: {effect: idempotent}
              - tell:
                  raise:
                    error: {type: 'https://trip.example/failed', status: 424, title: Trip failed}
    """
    And the task 'bookHotel' answers:
    """yaml
    id: H1
    """
    And the task 'bookFlight' fails 1 times with status 500
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://trip.example/failed
    status: 424
    instance: /do/0/trip/catch/do/1/tell
    """
    And the effect of 'bookHotel' should have happened 1 times
    And the effect of 'releaseHotel' should have happened 1 times
    And it survives a crash at every point
