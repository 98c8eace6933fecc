/**
 * Pictures of every page. `--out DIR` says where (default `.screenshots`), `--docs` takes only the
 * set that the README shows.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { launch, open } from './browser.js';
import { BENCH } from './scenes-bench.js';
import { CONFIG } from './scenes-config.js';
import { serve } from './serve.js';

const out = process.argv.includes('--out')
  ? process.argv[process.argv.indexOf('--out') + 1]
  : '.screenshots';
const docs = process.argv.includes('--docs');
const only = process.argv.includes('--only')
  ? process.argv[process.argv.indexOf('--only') + 1]
  : '';

const WIDE = { width: 1280, height: 900 };
const SMALL = { width: 1024, height: 640 };

const go = (name) => (page) => page.getByTestId(`nav-${name}`).click();
const messages = async (page) => {
  await page.getByTestId('messages').waitFor();
  for (const one of ['message-myia-turbo-oom.torch', 'unknown-myia']) {
    const row = page.getByTestId(one).getByRole('button').first();
    if (await row.count()) await row.click();
  }
  await page.getByTestId('messages').scrollIntoViewIfNeeded();
  await page.locator('main').evaluate((main) => main.scrollTo(0, main.scrollHeight));
};
/** The first dialog about a proof shows its evidence, the second one its remedy. */
const proof = (button) => async (page) => {
  await go('gpus')(page);
  await page.getByTestId('measured-myia').getByRole('button').nth(button).click();
  await page.getByRole('dialog').waitFor();
};
const SCENES = [
  ['overview', '', async () => {}],
  ['overview-stopped', '?fault=container-stopped', async () => {}],
  ['overview-engine', '?fault=engine-refused', async () => {}],
  ['overview-no-gpu', '?fault=no-gpu,settings-error', async () => {}],
  ['overview-unmeasured', '?fault=not-measured,gpu-values-missing', async () => {}],
  ['overview-many', '?fault=many-services', async () => {}],
  ['overview-messages', '?fault=log-noisy', messages],
  ['overview-context-lost', '?fault=context-lost', async () => {}],
  ['overview-messages-none', '?fault=log-lost&lines=0', messages],
  [
    'overview-restart',
    '',
    async (page) => {
      await page.getByTestId('restart-myia-turbo').click();
      await page.waitForTimeout(5200);
    },
  ],
  [
    'overview-restart-failed',
    '?fault=act-fails',
    async (page) => {
      await page.getByTestId('restart-myia-turbo').click();
      await page.waitForTimeout(3600);
    },
  ],
  [
    'overview-menu',
    '',
    async (page) => {
      await page.getByTestId('restart-menu-myia-turbo').click();
      await page.waitForTimeout(400);
    },
  ],
  [
    'overview-stop',
    '',
    async (page) => {
      await page.getByTestId('restart-menu-myia-turbo').click();
      await page.getByTestId('restart-menu-myia-turbo-stop').click();
      await page.getByTestId('confirm-dialog').waitFor();
    },
  ],
  [
    'overview-rung',
    '?fault=api-unauthorized',
    async (page) => {
      await page.getByTestId('rung-myia-api').click();
      await page.waitForTimeout(300);
    },
  ],
  ['gpus', '', go('gpus')],
  ['gpus-hot', '?fault=gpu-hot,gpu-pcie,gpu-processes', go('gpus')],
  ['gpus-lost', '?fault=gpu-lost', go('gpus')],
  ['gpus-none', '?fault=no-gpu', go('gpus')],
  ['gpus-empty', '?fault=gpu-history-empty,gpu-values-missing', go('gpus')],
  ['gpus-history-failed', '?fault=gpu-history-fails', go('gpus')],
  [
    'gpus-zoom',
    '?fault=gpu-throttled',
    async (page) => {
      await go('gpus')(page);
      await page.getByTestId('gpu-range-24h').click();
      await page.getByTestId('gpu-extra').selectOption('clock');
      await page.getByTestId('gpu-chart-load').focus();
      await page.keyboard.press('End');
      await page.keyboard.press('+');
      await page.waitForTimeout(800);
    },
  ],
  ['gpus-evidence', '?fault=placement-wrong', proof(0)],
  ['gpus-remedy', '?fault=placement-wrong', proof(1)],
  ['logs', '?lines=10000', go('logs')],
  [
    'logs-filter',
    '',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-regex').click();
      await page.getByTestId('log-filter').fill('error|warning|NVIDIA');
      await page.waitForTimeout(500);
      await page.getByTestId('log-pause').click();
      await page.waitForTimeout(2200);
    },
  ],
  [
    'logs-bad',
    '',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-regex').click();
      await page.getByTestId('log-filter').fill('[unclosed');
      await page.waitForTimeout(500);
    },
  ],
  [
    'logs-explained',
    '',
    async (page) => {
      await go('logs')(page);
      await page.waitForTimeout(500);
      await page.getByTestId('log-signature').last().click();
    },
  ],
  [
    'logs-markers',
    '',
    async (page) => {
      await go('logs')(page);
      await page.waitForTimeout(500);
      await page.getByTestId('log-row').last().hover();
      for (let notch = 0; notch < 6; notch++) {
        await page.mouse.wheel(0, -120);
        await page.waitForTimeout(30);
      }
      await page.waitForTimeout(300);
      await page.getByTestId('log-trace').first().click();
    },
  ],
  [
    'logs-search',
    '?lines=4000',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-filter').fill('attention');
      await page.getByTestId('log-search-start').click();
      await page.waitForTimeout(600);
      await page.getByTestId('log-around').nth(1).click();
    },
  ],
  [
    'logs-searching',
    '?lines=4000&fault=search-slow',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-filter').fill('attention');
      await page.getByTestId('log-search-start').click();
      await page.waitForTimeout(2000);
    },
  ],
  [
    'logs-search-nothing',
    '',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-filter').fill('no such words');
      await page.getByTestId('log-search-start').click();
      await page.waitForTimeout(600);
    },
  ],
  [
    'logs-search-failed',
    '?fault=search-fails',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-filter').fill('Device');
      await page.getByTestId('log-search-start').click();
      await page.waitForTimeout(600);
    },
  ],
  [
    'logs-groups',
    '',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-grouped').click();
      await page.waitForTimeout(400);
    },
  ],
  [
    'logs-range',
    '',
    async (page) => {
      await go('logs')(page);
      await page.getByTestId('log-range').click();
      await page.getByTestId('log-range-run').click();
      await page.waitForTimeout(400);
      await page.getByTestId('log-range').click();
      await page.waitForTimeout(400);
    },
  ],
  ...BENCH,
  ...CONFIG,
  ['settings', '', go('settings')],
  [
    'settings-edit',
    '',
    async (page) => {
      await go('settings')(page);
      await page.getByTestId('service-add').click();
      await page.getByTestId('service-form-save').click();
    },
  ],
  ['first-start', '?fault=first-start', async (page) => page.getByTestId('adopt').waitFor()],
  ['nothing-found', '?fault=nothing-found', async () => {}],
  ['palette', '', async (page) => page.keyboard.press('Control+k')],
];

const LOOKS = docs
  ? [
      ['dark', 'en', WIDE, ''],
      ['light', 'fr', WIDE, '-light-fr'],
    ]
  : [
      ['dark', 'en', WIDE, '-dark-en'],
      ['light', 'fr', WIDE, '-light-fr'],
      ['dark', 'fr', SMALL, '-small-dark-fr'],
      ['light', 'en', SMALL, '-small-light-en'],
    ];
const DOCS = ['overview', 'overview-restart', 'logs', 'bench-picture', 'settings', 'first-start'];

await mkdir(out, { recursive: true });
const server = await serve();
const browser = await launch();
try {
  const shots = SCENES.filter(
    ([name]) => (!docs || DOCS.includes(name)) && (only === '' || only.split(',').includes(name)),
  ).flatMap((scene) => LOOKS.map((look) => [scene, look]));
  await Promise.all(
    [0, 1, 2].map(async (lane) => {
      for (const [[name, query, act], [theme, language, size, suffix]] of shots.filter(
        (_, index) => index % 3 === lane,
      )) {
        const { page, troubles, close } = await open(browser, server.url, {
          theme,
          language,
          size,
          query,
        });
        await page.waitForTimeout(900);
        await act(page);
        await page.waitForTimeout(500);
        await page.screenshot({ path: join(out, `${name}${suffix}.png`) });
        for (const trouble of troubles) console.error(`${name}${suffix}: ${trouble}`);
        await close();
      }
    }),
  );
} finally {
  await browser.close();
  server.close();
}
