/**
 * The figures of a run, one number each: members of `figures` in `summary.json`, columns of `sweep.csv` and rows of the
 * report. `simulations/results/README.md` is made from this.
 */
export const FIGURES = {
  convergence_s: {
    label: 'Convergence after the heal',
    unit: 's',
    meaning:
      'from the end of the faults until the checks found all honest nodes running, but those that are kept off for good, with equal events, membership, policy, verdicts, state and winners (where blocks that were final are taken back, verdicts may differ, and winners with them), which they look for once no workload publishes any more, at samples alone, so that it is no finer than `sampleEvery` (a multiple of that, where `faultsEnd` is one); none: never'
  },
  events_convergence_s: {
    label: 'Events converged after the heal',
    unit: 's',
    meaning:
      'from the end of the faults until all honest nodes that were on held every event that any of them held; none: never'
  },
  propagation_p50_s: {
    label: 'Propagation to a node, median',
    unit: 's',
    meaning:
      'from the first node that held an event to another honest one that it could reach then; every such pair of an event and a node counts once'
  },
  propagation_p90_s: {
    label: 'Propagation to a node, 90 %',
    unit: 's',
    meaning: 'the time within which 90 % of these deliveries were made'
  },
  propagation_p99_s: {
    label: 'Propagation to a node, 99 %',
    unit: 's',
    meaning: 'the time within which 99 % of these deliveries were made'
  },
  catch_up_p50_s: {
    label: 'Catching up, median',
    unit: 's',
    meaning:
      'from the first node that held an event to another honest one that it could not reach then, because that was off, had no room, or every way there was cut'
  },
  catch_up_p99_s: {
    label: 'Catching up, 99 %',
    unit: 's',
    meaning: 'the time within which 99 % of these deliveries were made'
  },
  coverage_p50_s: {
    label: 'Propagation to all nodes, median',
    unit: 's',
    meaning:
      'from the first node that held an event to the last honest one that it could reach then; events that did not reach all of those are left out'
  },
  coverage_p99_s: {
    label: 'Propagation to all nodes, 99 %',
    unit: 's',
    meaning: 'the time within which 99 % of the events that reached all of those had done so'
  },
  healing_p50_s: {
    label: 'Healing of a node, median',
    unit: 's',
    meaning:
      'from the end of the faults until a node held all events of before; 0 for one that held them; nodes that never did are left out'
  },
  healing_max_s: {
    label: 'Healing of the last node',
    unit: 's',
    meaning: 'from the end of the faults until the last of the nodes that healed held all events of before'
  },
  healed_nodes_ratio: {
    label: 'Nodes that healed',
    unit: '',
    meaning: 'share of the honest nodes that were on at the end'
  },
  delivery_ratio: {
    label: 'Delivery ratio',
    unit: '',
    meaning: 'share of the pairs of an event and another honest node that is on at the end which were delivered by then'
  },
  duplicates_per_delivery: {
    label: 'Duplicates per delivery',
    unit: '',
    meaning: 'messages that gossip brought to honest nodes that had them, for each that was new'
  },
  events_published: { label: 'Events published', unit: '', meaning: 'events that a workload was told are safe' },
  events_accepted: { label: 'Events accepted', unit: '', meaning: 'events taken in, summed over honest nodes' },
  bytes_sent: { label: 'Bytes sent', unit: 'B', meaning: 'on all streams of all nodes' },
  messages_sent: { label: 'Messages sent', unit: '', meaning: 'on all streams of all nodes' },
  bytes_sent_per_accepted_event: {
    label: 'Bytes for each accepted event',
    unit: 'B',
    meaning: '`bytes_sent` / `events_accepted`'
  },
  sync_sessions: { label: 'Sessions of range-sync', unit: '', meaning: 'that ended, each counted once' },
  sync_rounds: { label: 'Rounds of range-sync', unit: '', meaning: 'of those sessions' },
  sync_events: { label: 'Events brought by range-sync', unit: '', meaning: 'that were news where they came' },
  batches_agreed: {
    label: 'Batches with one winner',
    unit: '',
    meaning: 'at the last sample, known to all honest nodes that were on'
  },
  batches_disputed: {
    label: 'Batches with two winners',
    unit: '',
    meaning: 'at the last sample: two honest nodes differ'
  },
  winner_changes: {
    label: 'Changes of winners',
    unit: '',
    meaning: 'times that a node took another winner for a batch, or none'
  },
  failures: { label: 'Failures', unit: '', meaning: 'of checks' }
} as const satisfies Readonly<Record<string, FigureAbout>>

export interface FigureAbout {
  readonly label: string
  /** Empty for numbers of things and ratios. */
  readonly unit: string
  readonly meaning: string
}

export type FigureName = keyof typeof FIGURES

/** `null`: there is none, because it never happened. */
export type Figures = { readonly [Name in FigureName]: number | null }

export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[]
