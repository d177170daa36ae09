/** A seed: it names folders, too. */
export const SEED_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
