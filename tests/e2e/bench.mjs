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

  /** As if a file were let go over the form: the system's own choosers cannot be driven. */
  drop(name, text) {
    return this.#window.script(
      `const file = new File([arguments[1]], arguments[0], { type: 'application/json' });
      const event = new Event('drop', { bubbles: true, cancelable: true });
      Object.defineProperty(event, 'dataTransfer', { value: { types: ['Files'], files: [file] } });
      document.querySelector('[data-testid="bench-form"]').dispatchEvent(event);`,
      name,
      text,
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
