// What several window tests do with the test bench's form.

/** The bench of a window. */
export class Bench {
  #window;

  constructor(window) {
    this.#window = window;
  }

  /** The request goes to these services and no other. */
  only(...ids) {
    return this.#window.script(
      `for (const box of document.querySelectorAll('[data-testid^="bench-on-"]')) {
        if (box.checked !== arguments[0].includes(box.dataset.testid.slice(9))) box.click();
      }`,
      ids,
    );
  }

  /** Fills a field in, as typing does. */
  set(id, value) {
    return this.#window.script(
      `const field = document.querySelector('[data-testid="' + arguments[0] + '"]');
      field.value = arguments[1];
      field.dispatchEvent(new Event('input', { bubbles: true }));
      field.dispatchEvent(new Event('change', { bubbles: true }));`,
      id,
      String(value),
    );
  }

  /** Waits until nothing is made any more. */
  rest(timeout = 60_000) {
    return this.#window.until(
      'the end of the work',
      () => this.#window.script(`return document.querySelector('[data-testid="bench-progress"]') === null`),
      timeout,
    );
  }
}
