Feature: Schedules
  Scenario: Every night, in the zone of the company, also when the clocks change
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: nightly, version: 1.0.0, metadata: {schedule: {zone: Europe/Berlin}}}
    schedule: {cron: 30 2 * * *}
    do:
      - a: {set: {x: 1}}
    """
    When the schedule begins at '2026-03-28T00:00:00Z'
    And the host runs until '2026-03-30T12:00:00Z'
    Then it should have started at:
    """yaml
    ['2026-03-28T01:30:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z']
    """

  Scenario: Missed starts become one
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: often, version: 1.0.0}
    schedule: {every: PT10M}
    do:
      - a: {set: {x: 1}}
    """
    When the schedule begins at '2026-01-01T00:00:00Z'
    And the host runs until '2026-01-01T00:25:00Z'
    And the host wakes at '2026-01-01T01:05:00Z'
    And the host wakes at '2026-01-01T01:05:00Z'
    And the host runs until '2026-01-01T01:10:00Z'
    Then it should have started at:
    """yaml
    ['2026-01-01T00:10:00Z', '2026-01-01T00:20:00Z', '2026-01-01T01:00:00Z', '2026-01-01T01:10:00Z']
    """

  Scenario: Missed starts are dropped
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: often, version: 1.0.0, metadata: {schedule: {misfire: skip}}}
    schedule: {every: PT10M}
    do:
      - a: {set: {x: 1}}
    """
    When the schedule begins at '2026-01-01T00:00:00Z'
    And the host wakes at '2026-01-01T01:05:00Z'
    And the host runs until '2026-01-01T01:10:00Z'
    Then it should have started at:
    """yaml
    ['2026-01-01T01:10:00Z']
    """

  Scenario: The next one an hour after the last one ended
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: d, name: again, version: 1.0.0}
    schedule: {after: PT1H}
    do:
      - a: {set: {x: 1}}
    """
    When the schedule begins at '2026-01-01T00:00:00Z'
    And the host runs until '2026-01-01T05:00:00Z'
    And an instance ends at '2026-01-01T05:00:00Z'
    And the host runs until '2026-01-01T09:00:00Z'
    Then it should have started at:
    """yaml
    ['2026-01-01T00:00:00Z', '2026-01-01T06:00:00Z']
    """
