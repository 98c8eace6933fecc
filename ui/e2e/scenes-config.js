/** What the pictures of the configuration show. */
export async function toConfig(page) {
  await page.getByTestId('nav-configuration').click();
  await page.getByTestId('config-service-myia').click();
  await page.getByTestId('snapshot-entry').first().waitFor();
  await page.getByTestId('drift-summary').waitFor();
}
const nth = (place) => async (page) => {
  await toConfig(page);
  await page.getByTestId('snapshot-entry').nth(place).click();
  await page.waitForTimeout(400);
};

export const CONFIG = [
  ['config', '', toConfig],
  ['config-api-call', '', nth(2)],
  ['config-text', '', nth(4)],
  ['config-unknown', '?fault=config-damaged', nth(1)],
  ['config-nothing', '', nth(3)],
  ['config-first', '', nth(6)],
  [
    'config-parts',
    '?fault=config-bytes-lost,no-keyring',
    async (page) => {
      await nth(1)(page);
      await page.getByTestId('snapshot-verify').click();
      await page.getByTestId('snapshot-checked').waitFor();
    },
  ],
  [
    'config-look',
    '',
    async (page) => {
      await toConfig(page);
      await page.getByTestId('tab-parts').click();
      await page.getByTestId('snapshot-parts').getByRole('button').first().click();
      await page.getByTestId('part-text').waitFor();
    },
  ],
  [
    'config-remove',
    '',
    async (page) => {
      await toConfig(page);
      await page.getByTestId('snapshot-menu').click();
      await page.getByTestId('snapshot-menu-remove').click();
      await page.getByTestId('snapshot-remove').waitFor();
    },
  ],
  [
    'config-taking',
    '?fault=config-slow',
    async (page) => {
      await page.getByTestId('nav-configuration').click();
      await page.getByTestId('config-service-myia').click();
      await page.getByTestId('snapshot-entry').first().waitFor();
      await page.getByTestId('snapshot-take').click();
      await page.waitForTimeout(700);
    },
  ],
  ['config-empty', '?fault=config-none', (page) => page.getByTestId('nav-configuration').click()],
  ['config-failed', '?fault=config-fails', (page) => page.getByTestId('nav-configuration').click()],
  ['config-hostile', '?fault=config-hostile,many-services', nth(4)],
];
