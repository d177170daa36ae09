/** The topic of a namespace's events (CONTRACT, section 1). */
export function topicOf(namespace: string): string {
  return `/anchormesh/event/1/${namespace}`
}
