/** What stands where there is no service yet; whoever has one never loads it. */
export const firstStart = () => import('./FirstStart.svelte');
