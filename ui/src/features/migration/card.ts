/** The migration on the overview, loaded when the rest was painted. */
export const migrationCard = () => import('./OverviewCard.svelte');
