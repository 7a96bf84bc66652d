# frozen_string_literal: true

require 'socket'

module CloudletRuntime
  # A client of the Lambda Runtime API: requests one after the other on a connection that stays.
  # https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
  class Api
    BASE = '/2018-06-01/runtime'

    # An answer, as AWS::Lambda's marshaller may be given it: headers by their names, and a body.
    class Answer
      attr_reader :status, :body

      def initialize(status, headers, body)
        @status = status
        @headers = headers
        @body = body
      end

      def [](name)
        @headers[name.downcase]
      end
    end

    def initialize(address)
      @address = address
      @host, _, port = address.rpartition(':')
      @port = port.to_i
    end

    def next
      answer = request('GET', '/invocation/next')
      raise IOError, "The Runtime API answered #{answer.status}: #{answer.body}" unless answer.status == 200

      answer
    end

    def respond(id, body, type)
      request('POST', "/invocation/#{id}/response", body, 'Content-Type' => type)
    end

    def fail(id, report)
      request('POST', "/invocation/#{id}/error", report.to_json, 'Lambda-Runtime-Function-Error-Type' => report.header)
    end

    def init_failed(report)
      request('POST', '/init/error', report.to_json, 'Lambda-Runtime-Function-Error-Type' => report.header)
    end

    private

    def request(method, path, body = nil, headers = {})
      head = +"#{method} #{BASE}#{path} HTTP/1.1\r\nHost: #{@address}\r\n"
      headers.each { |name, value| head << "#{name}: #{value}\r\n" }
      head << "Content-Length: #{body.bytesize}\r\n" if body
      head << "\r\n"
      @socket ||= connect
      @socket.write(head.b + (body ? body.b : ''.b))
      answer
    rescue IOError, SystemCallError
      @socket&.close
      @socket = nil
      raise
    end

    def connect
      socket = TCPSocket.new(@host, @port)
      socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      socket
    end

    def answer
      status = line.split(' ', 3)[1].to_i
      headers = {}
      until (field = line).empty?
        name, _, value = field.partition(':')
        headers[name.downcase] = value.strip.force_encoding(Encoding::UTF_8)
      end
      body = @socket.read(headers.fetch('content-length', '0').to_i)
      Answer.new(status, headers, body.force_encoding(Encoding::UTF_8))
    end

    def line
      text = @socket.gets("\r\n") or raise EOFError, 'the Runtime API has hung up'
      text.chomp("\r\n")
    end
  end
end
