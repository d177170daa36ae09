/** What the name of every metric begins with. */
export const METRIC_PREFIX = 'anchormesh_'
