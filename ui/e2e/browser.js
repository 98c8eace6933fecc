import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';

const CANDIDATES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

export async function launch() {
  const executablePath = CANDIDATES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no Chromium found; set CHROMIUM to its path');
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/** A page of the fake build, with everything that went wrong in it kept. */
export async function open(
  browser,
  url,
  { theme = 'dark', language = 'en', size, query = '' } = {},
) {
  const context = await browser.newContext({
    viewport: size ?? { width: 1280, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
    reducedMotion: 'reduce',
  });
  await context.addInitScript(
    ([chosenTheme, chosenLanguage]) => {
      // The shell does the same (`freezePrototype`).
      Object.freeze(Object.prototype);
      if (!localStorage.getItem('forgekeeper.fake.preferences')) {
        localStorage.setItem(
          'forgekeeper.fake.preferences',
          JSON.stringify({ theme: chosenTheme, language: chosenLanguage }),
        );
      }
    },
    [theme, language],
  );
  const page = await context.newPage();
  const troubles = [];
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content Security Policy/i.test(message.text())) {
      troubles.push(message.text());
    }
  });
  await page.goto(`${url}${query}`);
  return { page, troubles, close: () => context.close() };
}
