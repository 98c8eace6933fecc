/**
 * What stands on the library of floating things is loaded when it is first needed: the page is
 * there sooner without it.
 */
export const lazy = {
  menu: () => import('./MenuBody.svelte'),
  popover: () => import('./PopoverBody.svelte'),
};
