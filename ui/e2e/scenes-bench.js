/** What the pictures of the test bench show. */
const toBench = (page) => page.getByTestId('nav-bench').click();
const PROMPT = 'a lighthouse in a storm, oil painting';

export const PARAMETERS = [
  'parameters\0a harbour at low tide, watercolour',
  'Negative prompt: people, boats',
  'Steps: 31, Sampler: UniPC, CFG scale: 5.5, Seed: 42, Size: 640x768, ADetailer model: face.pt',
].join('\n');

export async function generate(page) {
  await toBench(page);
  await page.getByTestId('bench-prompt').fill(PROMPT);
  await page.getByTestId('bench-generate').click();
}
export async function made(page) {
  await generate(page);
  await page.getByTestId('bench-picture').first().waitFor({ timeout: 15_000 });
}
async function both(page) {
  await toBench(page);
  await page.getByTestId('bench-prompt').fill(PROMPT);
  await page.getByTestId('bench-on-myia').check();
}
async function twice(page) {
  await toBench(page);
  await page.getByTestId('bench-steps').fill('6');
  for (const prompt of [PROMPT, `${PROMPT}, night`]) {
    await page.getByTestId('bench-prompt').fill(prompt);
    await page.getByTestId('bench-generate').click();
    await page.getByTestId('bench-progress').waitFor();
    await page.getByTestId('bench-progress').waitFor({ state: 'detached', timeout: 15_000 });
  }
}

const toGallery = async (page) => {
  await toBench(page);
  await page.getByTestId('tab-gallery').click();
  await page.waitForTimeout(300);
};

const toGolden = async (page) => {
  await toBench(page);
  await page.getByTestId('tab-golden').click();
  await page.waitForTimeout(500);
};

export const BENCH = [
  ['bench', '', toBench],
  [
    'bench-advanced',
    '',
    async (page) => {
      await both(page);
      await page.getByTestId('bench-advanced').locator('summary').click();
      await page.getByTestId('bench-hires').check();
      await page.getByTestId('bench-variation').check();
      await page.getByTestId('bench-variation-seed').fill('abc');
      await page.getByTestId('bench-modules').selectOption('ae.safetensors');
      await page.getByTestId('bench-variation').scrollIntoViewIfNeeded();
    },
  ],
  [
    'bench-lora',
    '',
    async (page) => {
      await toBench(page);
      await page.getByTestId('bench-lora').click();
      await page.getByTestId('bench-lora-search').waitFor();
    },
  ],
  [
    'bench-filled',
    '',
    async (page) => {
      await toBench(page);
      const buffer = Buffer.from(PARAMETERS);
      const file = { name: '00042-harbour.png', mimeType: 'image/png', buffer };
      await page.getByTestId('bench-file').setInputFiles(file);
      await page.getByTestId('bench-filled').waitFor();
    },
  ],
  [
    'bench-queue',
    '?fault=generation-queued',
    async (page) => {
      await both(page);
      for (let turn = 0; turn < 3; turn++) await page.getByTestId('bench-generate').click();
      await page.waitForTimeout(900);
      await page.getByTestId('bench-queue').scrollIntoViewIfNeeded();
    },
  ],
  [
    'bench-progress',
    '',
    async (page) => {
      await generate(page);
      await page.waitForTimeout(3200);
    },
  ],
  ['bench-picture', '', made],
  [
    'bench-both',
    '',
    async (page) => {
      await both(page);
      await page.getByTestId('bench-generate').click();
      await page.getByTestId('bench-picture').nth(1).waitFor({ timeout: 20_000 });
    },
  ],
  [
    'bench-batch',
    '',
    async (page) => {
      await toBench(page);
      await page.getByTestId('bench-advanced').locator('summary').click();
      await page.getByTestId('bench-batch').fill('4');
      await page.getByTestId('bench-steps').fill('8');
      await page.getByTestId('bench-generate').click();
      await page.getByTestId('bench-picture').nth(3).waitFor({ timeout: 20_000 });
    },
  ],
  [
    'bench-lightbox',
    '',
    async (page) => {
      await made(page);
      await page.getByTestId('bench-picture').click();
      await page.getByTestId('lightbox').waitFor();
    },
  ],
  [
    'bench-compare',
    '',
    async (page) => {
      await twice(page);
      await page.getByTestId('bench-compare').click();
      await page.getByTestId('compare').waitFor();
    },
  ],
  [
    'bench-swipe',
    '',
    async (page) => {
      await twice(page);
      await page.getByTestId('bench-compare').click();
      await page.getByTestId('compare-mode-swipe').click();
    },
  ],
  [
    'bench-graph',
    '?fault=many-services',
    async (page) => {
      await toBench(page);
      await page.getByTestId('bench-on-myia-turbo').uncheck();
      await page.getByTestId('bench-on-atelier-1').check();
      await page.getByTestId('bench-generate').click();
      await page.getByTestId('bench-graph').click({ timeout: 20_000 });
      await page.getByTestId('graph').waitFor();
    },
  ],
  [
    'bench-workflow',
    '?fault=many-services,workflows-kept',
    async (page) => {
      await toBench(page);
      await page.getByTestId('bench-on-atelier-1').check();
      await page.getByTestId('bench-workflow-atelier-1').selectOption('Portrait, two passes');
      await page.getByTestId('bench-workflow-parts').scrollIntoViewIfNeeded();
      await page.locator('main').evaluate((main) => main.scrollBy(0, 120));
    },
  ],
  [
    'bench-workflow-trouble',
    '?fault=many-services,workflows-kept',
    async (page) => {
      await toBench(page);
      await page.getByTestId('bench-on-myia-turbo').uncheck();
      await page.getByTestId('bench-on-atelier-1').check();
      await page.getByTestId('bench-workflow-atelier-1').selectOption('Needs a model');
      await page.getByTestId('bench-advanced').locator('summary').click();
      await page.getByTestId('bench-hires').check();
      await page.getByTestId('bench-workflow-parts').scrollIntoViewIfNeeded();
    },
  ],
  [
    'bench-failed',
    '?fault=generation-fails',
    async (page) => {
      await generate(page);
      await page.getByTestId('bench-verdict').waitFor({ timeout: 15_000 });
    },
  ],
  ['gallery', '?fault=gallery-many', toGallery],
  [
    'gallery-selected',
    '?fault=gallery-many',
    async (page) => {
      await toGallery(page);
      await page.getByTestId('gallery-item').nth(1).click();
      await page
        .getByTestId('gallery-item')
        .nth(5)
        .click({ modifiers: ['Shift'] });
      await page.getByTestId('gallery-sheet').click();
    },
  ],
  [
    'gallery-no-match',
    '?fault=gallery-many',
    async (page) => {
      await toGallery(page);
      await page.getByTestId('gallery-search').fill('no such words');
      await page.getByTestId('gallery-no-match').waitFor();
    },
  ],
  [
    'gallery-delete',
    '?fault=gallery-many',
    async (page) => {
      await toGallery(page);
      await page.getByTestId('gallery-item').nth(1).click();
      await page
        .getByTestId('gallery-item')
        .nth(3)
        .click({ modifiers: ['Shift'] });
      await page.keyboard.press('Delete');
      await page.getByTestId('gallery-delete-dialog').waitFor();
    },
  ],
  [
    'gallery-details',
    '?fault=gallery-many',
    async (page) => {
      await toGallery(page);
      await page.getByTestId('gallery-item').nth(1).dblclick();
      await page.getByTestId('gallery-details').waitFor();
    },
  ],
  ['gallery-empty', '', toGallery],
  ['gallery-failed', '?fault=gallery-fails', toGallery],
  ['golden', '?fault=golden-past', toGolden],
  [
    'golden-rows',
    '?fault=golden-past',
    async (page) => {
      await toGolden(page);
      await page.getByTestId('golden-rows').scrollIntoViewIfNeeded();
      await page.locator('main').evaluate((main) => main.scrollTo(0, main.scrollHeight));
    },
  ],
  [
    'golden-running',
    '?fault=golden-past',
    async (page) => {
      await toGolden(page);
      await page.getByTestId('golden-run').click();
      await page.waitForTimeout(3000);
    },
  ],
  [
    'golden-new',
    '?fault=gallery-many',
    async (page) => {
      await toGallery(page);
      await page.getByTestId('gallery-item').nth(1).click();
      await page
        .getByTestId('gallery-item')
        .nth(4)
        .click({ modifiers: ['Shift'] });
      await page.getByTestId('gallery-golden').click();
      await page.getByTestId('golden-prompt-name').first().fill('');
    },
  ],
  [
    'golden-blind',
    '?fault=golden-past',
    async (page) => {
      await toGolden(page);
      await page.getByTestId('golden-blind').click();
      await page.keyboard.press('1');
      await page.keyboard.press('2');
      await page.waitForTimeout(300);
    },
  ],
  [
    'golden-blind-end',
    '?fault=golden-past',
    async (page) => {
      await toGolden(page);
      await page.getByTestId('golden-blind').click();
      for (const key of ['1', '2', '=', '0', '1']) {
        await page.keyboard.press(key);
        await page.waitForTimeout(120);
      }
      await page.getByTestId('blind-end').waitFor();
    },
  ],
  [
    'golden-edit',
    '?fault=golden-past',
    async (page) => {
      await toGolden(page);
      await page.getByTestId('golden-edit-set').click();
      await page.getByTestId('golden-edit-row').nth(1).locator('summary').click();
      await page.getByTestId('golden-edit-remove').first().click();
    },
  ],
  ['golden-empty', '', toGolden],
];
