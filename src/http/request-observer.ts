/** A request that was answered. */
export interface AnsweredRequest {
  readonly method: string
  /** The pattern of its route, or `unknown`: never a path, of which there are as many as somebody likes. */
  readonly route: string
  readonly status: number
  readonly seconds: number
}

/** Hears of what listeners do, for metrics. Must not throw. */
export interface RequestObserver {
  /** There is a route: what is counted of it begins at 0. */
  routeAdded(method: string, route: string): void
  answered(request: AnsweredRequest): void
}
