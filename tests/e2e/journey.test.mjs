// The whole migration in the real window, on the demo host, from its first step to its last: measured, done,
// taken back, done again, killed in the middle, and each time the played machine asked how it really is.
// FORGEKEEPER_BIN names the program; the stand-in lies beside it. With UPDATE_SCREENSHOTS=1 pictures are taken.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { Journey } from './journey.mjs';
import { picture } from './pictures.mjs';

const OLD = 'myia-turbo';
const FORGE = 'myia-turbo-supervisor-1';
const NEW = 'comfyui-next';
const BESIDE = 'comfyui-next-beside';
const NOT_NEEDED = ['adetailer', 'my-scripts', 'sd-civitai-browser-plus', 'sd-webui-regional-prompter'];
const PROMPTS = ['harbour', 'portrait', 'forest'];

describe('the journey', () => {
  /** @type {Journey} */
  let journey;
  const shot = (name) => picture(journey.window, name, 'journey');

  /** Each part stands on the one before; after one that failed, nothing is worth a wait. */
  let lost = false;
  const walk = (what, go) =>
    test(what, async (context) => {
      if (lost) return context.skip('an earlier part failed');
      lost = true;
      await go();
      lost = false;
    });

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    journey = await Journey.begin(binary, 20);
  });
  after(() => journey?.end());

  walk('before it begins: the card of Forge is proved, and its folder is backed up', async () => {
    await journey.until('a green lane', async () => (await journey.data(`lane-${OLD}`, 'status')) === 'ok');
    await journey.page('gpus');
    await journey.click(`prove-${OLD}`);
    await journey.until('the proof', async () => {
      // What a busy machine left unclear is asked for again.
      const unclear = /Could not be told/.test(await journey.said(`measured-${OLD}`));
      if (unclear && (await journey.there(`prove-${OLD}`))) await journey.click(`prove-${OLD}`);
      return (await journey.data(`placement-${OLD}`, 'status')) === 'ok';
    });
    await journey.page('configuration');
    await journey.click('tab-backup');
    await journey.click('backup-run');
    await journey.window.find('[data-testid="backup-last"] [data-end="whole"]', 120_000);
    assert.ok((await readdir(journey.copy)).length > 0);
  });

  walk('the groundwork is measured', async () => {
    await journey.page('migration', 'groundwork');
    for (const step of ['target-image', 'gpu-plan']) await journey.measured(step);
    // The disk is that of the machine of the test: it has what it has.
    await journey.click('check-disk-space');
    await journey.tells('step-disk-space', /checked|fades/);
    if ((await journey.state('disk-space')) !== 'proved') {
      await journey.skipped('disk-space', 'a small disk');
    }
  });

  walk('what no machine measures waits for its turn, and is attested or left out', async () => {
    await journey.page('migration', 'preparation');
    assert.equal(await journey.state('training'), 'blocked');
    assert.match(await journey.said('step-training'), /Waits for/);
    await shot('ready-and-blocked');
    for (const step of ['read-docs', 'maintenance-window']) await journey.attested(step);
    await journey.measured('backup');
    await journey.skipped('training', 'they know it already');
    await shot('skipped');
    await journey.chosen('training', 'unskip');
    await journey.becomes('training', 'blocked');
  });

  walk('ComfyUI is set up beside Forge; a program that is killed meanwhile takes it up again', async () => {
    const answer = await journey.preview('compose-beside', 'run');
    assert.match(answer, /compose\.comfyui\.yaml/);
    await journey.cancel();
    assert.equal(await journey.container(BESIDE), null, 'only shown');
    assert.equal(await journey.file('compose_file'), null);
    await journey.preview('compose-beside', 'run');
    await journey.yes();
    await journey.until('work', () => journey.there('cancel-compose-beside'));
    await journey.crash();
    await journey.page('migration', 'preparation');
    await journey.becomes('compose-beside', 'proved');
    assert.ok(await journey.runs(BESIDE));
    assert.match(await journey.file('compose_file'), /yanwk\/comfyui-boot/);
    await journey.click('tab-record');
    assert.match(await journey.tells('migration-record', /taken up again/), /taken up again · Set up ComfyUI/);
    await journey.click('tab-steps');
    assert.equal(await journey.state('read-docs'), 'proved', 'what was said before is kept');
  });

  walk('it is taken back, and done again', async () => {
    await journey.undone('compose-beside', new RegExp(BESIDE));
    assert.equal(await journey.container(BESIDE), null);
    assert.equal(await journey.file('compose_file'), null);
    await journey.done('compose-beside');
    assert.ok(await journey.runs(BESIDE));
    assert.ok(await journey.runs(FORGE), 'Forge does not suffer');
    for (const step of ['document-models', 'training']) await journey.attested(step);
  });

  walk('the usual work is kept as golden prompts, whose workflows ComfyUI takes', async () => {
    await journey.click('check-workflows');
    await journey.tells('step-workflows', /Not measured\. There is no golden prompt yet/);
    await journey.kept('Usual', PROMPTS);
    await journey.page('migration', 'preparation');
    await journey.measured('workflows');
  });

  walk('models are shared by one section of a file, which is taken back to the byte', async () => {
    await journey.page('migration', 'migration');
    const before = await journey.file('extra_model_paths');
    await journey.done('share-models', /extra_model_paths\.yaml[^]*forgekeeper/);
    assert.match(await journey.file('extra_model_paths'), /forgekeeper/);
    await journey.undone('share-models');
    assert.equal(await journey.file('extra_model_paths'), before);
    await journey.done('share-models');
    assert.match(await journey.file('extra_model_paths'), /forgekeeper/);
  });

  walk('extensions that nobody decided on are a failure, until they are decided', async () => {
    await journey.measured('custom-nodes', 'failed');
    await shot('failed');
    await journey.unfold('custom-nodes');
    await journey.window.get('extensions', 60_000);
    for (const name of NOT_NEEDED) {
      await journey.window.script(
        `const choice = document.querySelector('[data-testid="decide-' + arguments[0] + '"]');
        choice.value = 'not_needed';
        choice.dispatchEvent(new Event('change', { bubbles: true }));`,
        name,
      );
      await journey.until(name, async () => (await journey.data(`extension-${name}`, 'decision')) === 'not_needed');
    }
    await journey.becomes('custom-nodes', 'proved');
    await journey.unfold('custom-nodes');
  });

  walk('both make the same batch', async () => {
    await journey.page('bench');
    for (const [before, service] of [OLD, NEW].entries()) await journey.made(service, before + 1);
    await journey.page('migration', 'migration');
    await journey.measured('batch-equivalence');
  });

  walk('the cutover is rehearsed on a second address', async () => {
    const before = await journey.file('web_config');
    assert.match(await journey.preview('proxy-rehearsal', 'run'), /web\.config/);
    await journey.cancel();
    assert.equal(await journey.file('web_config'), before, 'only shown');
    await journey.thrice('proxy-rehearsal', () => journey.comfyuiAt('rehearsal_url'));
    await journey.undone('proxy-rehearsal');
    assert.equal(await journey.file('web_config'), before, 'to the byte');
    await journey.done('proxy-rehearsal');
    assert.ok(!(await journey.comfyuiAt('public_url')), 'the public address is where it was');
  });

  walk('eyes decide on the quality, without knowing whose picture it is', async () => {
    await journey.measured('quality', 'failed', 'ready');
    await journey.unfold('quality');
    await journey.click('to-votes');
    await journey.click('golden-blind');
    for (const place of PROMPTS.keys()) {
      await journey.tells('blind', new RegExp(`${place + 1} (of|/) ${PROMPTS.length}`));
      await journey.click('blind-equal');
    }
    await journey.window.get('blind-end', 60_000);
    await journey.window.press('\uE00C');
    await journey.page('migration', 'migration');
    await journey.measured('quality');
  });

  walk('the public address is switched over, back to the byte, and over again', async () => {
    await journey.page('migration', 'cutover');
    const before = await journey.file('web_config');
    await journey.done('proxy-cutover', /web\.config/);
    assert.ok(await journey.comfyuiAt('public_url'));
    await journey.undone('proxy-cutover');
    assert.equal(await journey.file('web_config'), before);
    assert.ok(!(await journey.comfyuiAt('public_url')));
    await journey.done('proxy-cutover');
    assert.ok(await journey.comfyuiAt('public_url'));
    await shot('proved');
    await journey.measured('stability');
  });

  walk('Forge stands by; its drill is killed in the middle, and leaves Forge as it was', async () => {
    const stands = async (wanted) =>
      journey.until(`Forge ${wanted ? 'stopped' : 'running'}`, async () => (await journey.runs(FORGE)) !== wanted);
    for (const what of ['run', 'undo', 'run']) {
      await journey.preview('standby', what);
      await journey.yes();
      await stands(what === 'run');
      await journey.rests('standby');
    }
    assert.equal(await journey.state('standby'), 'ready', 'nobody knows yet whether it could be started');
    // It waits for an answer as long as the picture needs.
    await journey.site.raise('api-hang', OLD);
    assert.match(await journey.preview('standby', 'drill'), new RegExp(`Starts .${OLD}`));
    await journey.yes();
    await journey.until('work', () => journey.there('cancel-standby'));
    await stands(false);
    await shot('running');
    await journey.crash();
    await journey.site.clear('api-hang');
    await stands(true);
    await journey.page('migration', 'cutover');
    await journey.becomes('standby', 'failed');
    await journey.click('tab-record');
    const record = await journey.tells('migration-record', /cut short when the program ended/);
    assert.match(record, /Drill taken up again · Keep Forge on standby/);
    await journey.click('tab-steps');
  });

  walk('the next drill passes, and Forge is at rest again', async () => {
    await journey.preview('standby', 'drill');
    await journey.yes();
    await journey.becomes('standby', 'proved');
    assert.ok(!(await journey.runs(FORGE)));
  });

  walk('the end wants the name typed, and shows what goes', async () => {
    assert.match(await journey.preview('decommission', 'run'), new RegExp(`${FORGE}[^]*Type ${OLD}`));
    const word = await journey.window.get('step-confirm-word');
    const yes = await journey.window.get('step-dialog-yes');
    assert.equal(await yes.attribute('disabled'), 'true');
    await word.type('comfyui');
    assert.equal(await yes.attribute('disabled'), 'true', 'another name does not count');
    await word.clear();
    await word.type(OLD);
    await journey.until('a way on', async () => (await yes.attribute('disabled')) === null);
    await shot('decommission');
    await journey.cancel();
    assert.ok(await journey.container(FORGE), 'only shown');
  });

  walk('Forge goes, comes back, and goes for good while the program is killed', async () => {
    const gone = async () => (await journey.container(FORGE)) === null;
    const begin = async (what) => {
      await journey.preview('decommission', what);
      for (const word of await journey.window.all('[data-testid="step-confirm-word"]')) await word.type(OLD);
      await journey.yes();
    };
    await begin('run');
    await journey.becomes('decommission', 'proved');
    assert.ok(await gone());
    await begin('undo');
    await journey.becomes('decommission', 'ready');
    assert.ok(!(await gone()), 'it was made again');
    await begin('run');
    await journey.until('work, or already its end', async () =>
      (await journey.there('cancel-decommission')) || (await journey.state('decommission')) === 'proved');
    await journey.crash();
    await journey.page('migration', 'cutover');
    await journey.becomes('decommission', 'proved');
    assert.ok(await gone());
  });

  walk('everything is proved, also when all of it is measured again', async () => {
    await journey.click('migration-check-all');
    await journey.tells('migration-check-all', /Check all/);
    await journey.tells('migration-summary', /1[89] of 19 steps proved/);
    assert.doesNotMatch(await journey.said('migration-summary'), /failed|too old|running|Next/);
    await shot('whole');
    assert.ok(await journey.comfyuiAt('public_url'), 'ComfyUI carries on');
  });

  walk('the record has it all, and the overview says that it is done', async () => {
    await journey.click('tab-record');
    const record = await journey.tells('migration-record', /Decommission Forge/);
    for (const words of [/taken up again/, /Attested[^]*Jesse/, /Taken back done · Point IIS/, /Drill done/]) {
      assert.match(record, words);
    }
    await shot('record');
    await journey.page('overview');
    await journey.tells('overview-migration', /Everything is proved/);
    await journey.until('a green lane', async () => (await journey.data(`lane-${NEW}`, 'status')) === 'ok');
    await journey.window.script(
      `document.querySelector('[data-testid="overview-migration"]').scrollIntoView({ block: 'center' })`);
    await shot('overview');
  });
});
