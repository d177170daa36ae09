/** Names in requests, in the forms that the protocol gives them. */
export { batchId, integer, namespace } from '../api/values.ts'
