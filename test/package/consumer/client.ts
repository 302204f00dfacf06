/**
 * The same with the client, in a program that may be a page of a browser.
 */
import { Client, type InferResult, isTensor, RequestError, tensor } from 'tfjs-serving/client';

const client = new Client('http://127.0.0.1:50000', { timeout: 5 });
try {
  const image = tensor(new Uint8Array(12), [2, 2, 3]);
  const { outputs }: InferResult = await client.infer(
    { image },
    { model: 'policy', signal: AbortSignal.timeout(1) },
  );
  const dtype: string | undefined = outputs['action']?.dtype;
  console.log(dtype, isTensor(outputs['action']));
} catch (error) {
  if (error instanceof RequestError) console.log(error.code, error.status, error.requestId);
}

// @ts-expect-error a version is a number
await client.infer({}, { model: 'policy', version: 'latest' });
