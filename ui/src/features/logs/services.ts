/** Whose lines are shown: those of several together, or of the one that somebody came for. */
export function shownServices(
  services: readonly string[],
  together: readonly string[],
  asked: string | null,
): readonly string[] {
  // In the order of the chips, so that colours stay with their services.
  const several = services.filter((id) => together.includes(id));
  if (several.length > 1 && (asked === null || several.includes(asked))) return several;
  return asked !== null && services.includes(asked) ? [asked] : services.slice(0, 1);
}
