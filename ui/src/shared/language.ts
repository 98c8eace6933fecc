// A webview that runs under LANG=C tells `C` as its language. No function of Intl takes that, and
// uPlot asks with it as soon as it is loaded: it has to find one that they take.
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en', configurable: true });
}

export {};
