/**
 * The newer value, with every part that says the same as before replaced by the very same object:
 * what did not change does not render again.
 */
export function reuse<T>(before: unknown, after: T): T {
  if (Object.is(before, after)) return after;
  if (typeof before !== 'object' || typeof after !== 'object') return after;
  if (before === null || after === null) return after;
  if (Array.isArray(before) !== Array.isArray(after)) return after;
  const old = before as Record<string, unknown>;
  const young = after as Record<string, unknown>;
  const keys = Object.keys(young);
  let same = keys.length === Object.keys(old).length;
  for (const key of keys) {
    const kept = reuse(old[key], young[key]);
    if (kept !== old[key] || !(key in old)) same = false;
    young[key] = kept;
  }
  return same ? (before as T) : after;
}
