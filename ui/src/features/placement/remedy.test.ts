import { expect, test } from 'vitest';

import { asDiff, composeFiles, diffLines, newLines, upCommand } from './remedy';

const DIFF = [
  ' services:',
  '   myia:',
  '     environment:',
  '-      CUDA_VISIBLE_DEVICES: 0',
  '+      CUDA_DEVICE_ORDER: PCI_BUS_ID',
  '+      CUDA_VISIBLE_DEVICES: GPU-19af',
  "-              device_ids: ['0']",
  "+              device_ids: ['GPU-19af']",
  '               capabilities: [gpu]',
];

test('the new lines alone are copied, as they stand in the file', () => {
  expect(newLines(DIFF)).toBe(
    [
      '      CUDA_DEVICE_ORDER: PCI_BUS_ID',
      '      CUDA_VISIBLE_DEVICES: GPU-19af',
      "              device_ids: ['GPU-19af']",
    ].join('\n'),
  );
});

test('as a diff every line keeps its sign', () => {
  expect(asDiff(DIFF).split('\n')).toEqual(DIFF);
  expect(diffLines(DIFF).map((line) => line.sign)).toEqual([...'   -++-+ ']);
});

test('only a name of compose gets into the command', () => {
  expect(upCommand('myia-turbo.1')).toBe('docker compose up -d myia-turbo.1');
  for (const name of [null, '', '-v', 'a b', 'a;rm -rf /', 'a\nb', '$(x)']) {
    expect(upCommand(name), String(name)).toBe('docker compose up -d');
  }
});

test('each compose file of the label is named', () => {
  expect(composeFiles('/srv/a.yaml,/srv/b.yaml')).toEqual(['/srv/a.yaml', '/srv/b.yaml']);
  expect(composeFiles('')).toEqual([]);
});
