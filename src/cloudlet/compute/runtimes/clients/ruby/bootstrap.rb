# frozen_string_literal: true

# Cloudlet's runtime client for Ruby: runs the handler of this sandbox's function until the sandbox ends.
# It behaves as AWS's: https://docs.aws.amazon.com/lambda/latest/dg/lambda-ruby.html

require 'json'
require 'logger'
require_relative 'cloudlet_runtime/api'
require_relative 'cloudlet_runtime/context'
require_relative 'cloudlet_runtime/errors'
require_relative 'cloudlet_runtime/handler'
require_relative 'cloudlet_runtime/logs'

module CloudletRuntime
  INIT_FAILED = -4
  CRITICAL = -1

  # One function, from its loading to the end of its sandbox.
  class Runner
    def initialize(api, name)
      @api = api
      @name = name
    end

    # Returns the exit status.
    def run
      handler = Handler.new(@name)
      handler.load
      loop do
        status = run_once(handler)
        return status if status
      end
    rescue SignalException
      0
    rescue Exception => e # rubocop:disable Lint/RescueException - also LoadError and whatever else loading may raise
      report = ErrorReport.new(e, 'Init')
      Logs.error("Init error when loading handler #{@name}", report)
      @api.init_failed(report)
      INIT_FAILED
    end

    private

    def run_once(handler)
      invocation = @api.next
      Logs.request_id = invocation['Lambda-Runtime-Aws-Request-Id']
      ENV['_X_AMZN_TRACE_ID'] = invocation['Lambda-Runtime-Trace-Id']
      id = invocation['Lambda-Runtime-Aws-Request-Id']
      body, type = handler.call(invocation)
      @api.respond(id, body, type)
      nil
    rescue HandlerError => e
      report = ErrorReport.new(e.cause, 'Function')
      Logs.error(e.is_critical ? 'Critical exception from handler' : 'Error raised from handler method', report)
      @api.fail(id, report)
      e.is_critical ? CRITICAL : nil
    end
  end
end

$stdout.sync = true
CloudletRuntime::Logs.start
task = ENV.fetch('LAMBDA_TASK_ROOT', Dir.pwd)
$LOAD_PATH.unshift(task) unless $LOAD_PATH.include?(task)
api = CloudletRuntime::Api.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
exit(CloudletRuntime::Runner.new(api, ENV.fetch('_HANDLER')).run)
