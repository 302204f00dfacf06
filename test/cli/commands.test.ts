/**
 * The program as a whole: its commands, their help, and how they fail.
 */
import { describe, expect, it } from 'vitest';
import { runCommand } from '../fixtures/command.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { launch } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

describe('the program', () => {
  it('lists its commands, and gives the help of each in two ways', async () => {
    const { stdout, code } = await runCommand(['--help']);
    expect(code).toBe(0);
    const names = [...stdout.matchAll(/^ {2}tfjs-serving ([a-z]+)/gm)].map(([, name]) => name as string);
    expect(names).toContain('serve');
    for (const name of names.filter((each) => each !== 'help')) {
      const help = await runCommand(['help', name]);
      expect(help).toMatchObject({ code: 0, stderr: '' });
      expect(help.stdout).toMatch(new RegExp(`^tfjs-serving ${name} `));
      expect((await runCommand([name, '--help'])).stdout).toBe(help.stdout);
    }
    expect((await runCommand(['help'])).stdout).toBe(stdout);
  });

  it('says in one line what command there is none of', async () => {
    for (const args of [['sevre'], ['help', 'sevre']]) {
      const { code, stdout, stderr } = await runCommand(args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(
        /^tfjs-serving: no command `sevre` \(did you mean `serve`\?\); there are serve.*\n$/,
      );
    }
  });

  it('serves by flags alone', async () => {
    const repository = await TestRepository.create('versioned');
    const { child, output } = launch(['--model-path', repository.root, '--port', '0']);
    try {
      await until(() => /serving on http/.test(output.text) || child.exitCode !== null, 'the ready line');
      expect(output.text).toContain('serving on http');
    } finally {
      child.kill('SIGTERM');
      await until(() => child.exitCode !== null || child.signalCode !== null, 'the end');
      await repository.remove();
    }
    expect(child.exitCode).toBe(0);
  });

  it('a flag that is none ends with 2, and so does a value that cannot be', async () => {
    expect(await runCommand(['--prot', '1'])).toMatchObject({ code: 2, stdout: '' });
    expect(await runCommand(['serve', '--port', '70000'])).toMatchObject({ code: 2, stdout: '' });
  });
});
