/** The pins of packs in a node's configuration. */
export interface TrustPins {
  /**
   * Pins a pack at its number, once the whole configuration is valid with it. Throws `CONFIG_INVALID`. Answers whether
   * that was not so before.
   */
  pin(pin: { readonly orgId: string; readonly packSeq: number; readonly hash: string }): Promise<boolean>
}
