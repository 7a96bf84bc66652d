// What a handler is told about its invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html

import { setRequestId } from "./console.mjs";

function parsed(json, name) {
  if (!json) return undefined;
  try {
    return JSON.parse(Buffer.from(json, "latin1").toString("utf8"));
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

/** One invocation, as the Runtime API hands it over. */
export class Invocation {
  constructor({ headers, body }) {
    this.id = headers["lambda-runtime-aws-request-id"];
    this.headers = headers;
    this.body = body;
    setRequestId(this.id);
    const trace = headers["lambda-runtime-trace-id"];
    if (trace) process.env._X_AMZN_TRACE_ID = trace;
    else delete process.env._X_AMZN_TRACE_ID;
  }

  get event() {
    return JSON.parse(this.body);
  }

  /** The members of the context object. Throws when the client's context is not JSON. */
  context() {
    const { headers } = this;
    const { env } = process;
    const deadline = Number(headers["lambda-runtime-deadline-ms"]);
    return {
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: parsed(headers["lambda-runtime-client-context"], "ClientContext"),
      identity: parsed(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
      invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
      awsRequestId: this.id,
      tenantId: headers["lambda-runtime-aws-tenant-id"],
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
  }
}
