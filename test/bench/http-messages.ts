/** What the process that asks says to the one that answers. */
export type Asked =
  | { readonly kind: 'bare'; readonly name: string; readonly body: string }
  | { readonly kind: 'cpu' }
  | { readonly kind: 'heap' }
  | { readonly kind: 'end' }

/** What that one says. */
export type Told =
  | {
      readonly kind: 'ready'
      readonly node: string
      readonly bare: string
      /** Of all events, in the order in which they were made. */
      readonly ids: readonly string[]
      readonly token: string
    }
  | { readonly kind: 'cpu'; readonly usage: NodeJS.CpuUsage }
  | { readonly kind: 'heap'; readonly bytes: number; readonly residentBytes: number }
