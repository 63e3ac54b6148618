/**
 * `npm run wait-400-seconds [-- SECONDS]`: one call of 400 s through each SDK as it comes, in real time, held in hops of 50 s.
 * Prints jobs, attempts, requests and the answer of each, and fails unless each came to one job with one attempt. No test: it takes seven minutes.
 */
import { helloAfter } from './stage/answers.ts';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import { openStage, type TestUser } from './stage/stage.ts';

const seconds = Number(process.argv[2] ?? 400);
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const messages = [{ role: 'user' as const, content: 'Hello' }];

type Ask = (user: TestUser) => Promise<string | null | undefined>;
const CLIENTS: [string, Ask][] = [
  ...OPENAI_SDKS.map(([name, Sdk]): [string, Ask] => [
    name,
    async (user) => {
      const answer = await openaiOf(user, Sdk).chat.completions.create({ model: 'gpt-4o-mini', messages });
      return answer.choices[0]?.message.content;
    },
  ]),
  ...ANTHROPIC_SDKS.map(([name, Sdk]): [string, Ask] => [
    name,
    async (user) => {
      const answer = await anthropicOf(user, Sdk).messages.create({
        model: 'claude-opus-4-8',
        max_tokens: 10,
        messages,
      });
      return answer.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    },
  ]),
];

const stage = await openStage({ MAX_WAIT_SECONDS: '50', JOB_TIMEOUT_SECONDS: '600' });
const runs = CLIENTS.map(async ([name, ask]) => {
  const user = await stage.user();
  user.answers(helloAfter(seconds * 1_000));
  const began = performance.now();
  const answer = await ask(user).catch(String);
  const took = ((performance.now() - began) / 1_000).toFixed(1);
  const jobs = await user.jobs();
  const attempts = jobs.map((job) => job.attempts.length + job.attempts_omitted);
  const requests = user.exchanges.map(({ method, answer: got }) => `${method} ${got?.status ?? 'cut'}`);
  say(
    `${name}: ${took} s, jobs ${jobs.length}, attempts ${attempts.join(' + ')}, calls ${user.calls().length}, answer ${JSON.stringify(answer)}`,
  );
  say(`  ${requests.length} requests: ${requests.join(', ')}`);
  return answer === 'Hello.' && attempts.join() === '1' && user.calls().length === 1;
});
say(`asking ${CLIENTS.length} clients for an answer that takes ${seconds} s`);
try {
  if (!(await Promise.all(runs)).every(Boolean)) process.exitCode = 1;
} finally {
  await stage.close();
}
