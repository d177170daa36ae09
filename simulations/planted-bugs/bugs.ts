/** A bug that somebody might write, as a patch: `<name>.patch` beside this file. */
export interface PlantedBug {
  readonly name: string
  readonly breaks: string
  /** The check that has to find it. */
  readonly check: string
  /** Where it is looked for: `scenarios/<scenario>.yaml`. */
  readonly scenario: string
}

/** Bugs that the simulator has to find: proof that its checks look. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'skip-fsync',
    breaks: 'The log is written without a sync, so what was acknowledged is lost with the power.',
    check: 'no-acknowledged-event-lost',
    scenario: 'crashes'
  },
  {
    name: 'acknowledge-before-write',
    breaks: 'Events are acknowledged while they are being written.',
    check: 'no-acknowledged-event-lost',
    scenario: 'crashes'
  },
  {
    name: 'tips-written-apart',
    breaks: 'The index of tips is written in a batch of its own, after the records.',
    check: 'logs-intact',
    scenario: 'crashes'
  },
  {
    name: 'head-before-write',
    breaks: 'The head of the log moves before the write, and stays moved where the write fails.',
    check: 'converged-after-heal',
    scenario: 'crashes'
  },
  {
    name: 'cursor-before-rows',
    breaks: 'Cursors of projections are written before their rows.',
    check: 'projections-equal-fresh-fold',
    scenario: 'crashes'
  },
  {
    name: 'xor-fingerprint',
    breaks: 'Sets are taken for equal by four bits, the XOR of all that the root of the tips is to hash.',
    check: 'converged-after-heal',
    scenario: 'partition'
  },
  {
    name: 'age-check-on-sync',
    breaks: 'Events that come by sync are refused where they are old.',
    check: 'converged-after-heal',
    scenario: 'partition'
  },
  {
    name: 'last-event-of-a-frame-dropped',
    breaks: 'The last event of each frame of range-sync is not sent.',
    check: 'converged-after-heal',
    scenario: 'partition'
  },
  {
    name: 'nobody-dialled-again',
    breaks: 'A peer whose connection broke is not dialled again.',
    check: 'converged-after-heal',
    scenario: 'partition'
  },
  {
    name: 'signatures-of-successors-unchecked',
    breaks: 'The signature of an event that follows another is not checked.',
    check: 'nothing-forbidden',
    scenario: 'hostile'
  },
  {
    name: 'strangers-admitted',
    breaks: 'Nobody asks whether a signer is a member.',
    check: 'nothing-forbidden',
    scenario: 'hostile'
  },
  {
    name: 'predecessor-ignored',
    breaks: 'An event is admitted whatever position the one has that it follows.',
    check: 'nothing-forbidden',
    scenario: 'hostile'
  },
  {
    name: 'time-may-go-back',
    breaks: 'The time of an event may be before that of its predecessor.',
    check: 'nothing-forbidden',
    scenario: 'hostile'
  },
  {
    name: 'rejected-remembered-by-id',
    breaks: 'A bad signature under a true id keeps the true event out.',
    check: 'converged-after-heal',
    scenario: 'spoiled'
  },
  {
    name: 'duplicates-appended',
    breaks: 'Nobody asks whether an event is held already.',
    check: 'logs-intact',
    scenario: 'hostile'
  },
  {
    name: 'forks-rejected',
    breaks: 'The second event at a position of a chain is rejected, whichever came first.',
    check: 'one-verdict-per-event',
    scenario: 'fork'
  },
  {
    name: 'equivocations-in-order-of-arrival',
    breaks: 'The events of a fork are listed in the order in which they came.',
    check: 'converged-after-heal',
    scenario: 'fork'
  },
  {
    name: 'arrival-order-winner',
    breaks: 'Of the evidence for a batch that wins which was seen first.',
    check: 'converged-after-heal',
    scenario: 'winners'
  },
  {
    name: 'unreachable-is-invalid',
    breaks: 'Evidence on a chain that is away is found invalid, for good.',
    check: 'one-verdict-per-event',
    scenario: 'winners'
  },
  {
    name: 'revocation-by-clock',
    breaks: 'Of a key that was taken back, events with an early enough time count.',
    check: 'nothing-forbidden',
    scenario: 'revocation'
  },
  {
    name: 'unchained-packs',
    breaks: 'A pack with a higher number wins, whichever pack it follows.',
    check: 'nothing-forbidden',
    scenario: 'packs'
  },
  {
    name: 'oldest-never-forgotten',
    breaks: 'A bounded table that is full takes in more, and forgets nothing.',
    check: 'tables-within-bounds',
    scenario: 'many-batches'
  }
]
