/** A value that I-JSON (RFC 7493) can hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object. Members that are absent read as `undefined`. */
export type JsonObject = { readonly [member: string]: JsonValue }

/** Whether the value is an object, and not an array or null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
