/** How many dialogs are open: behind one, shortcuts do nothing. */
export const dialogs = { open: 0 };
