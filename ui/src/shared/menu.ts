/** One entry of a menu. */
export interface MenuItem {
  id: string;
  label: string;
  /** What it runs, or why it cannot be done. */
  note?: string | undefined;
  disabled?: boolean;
  danger?: boolean;
  act: () => void;
}
