# Access tokens with ruby-jwt: each line of the input is a token to be judged.
require "json"
require "jwt"
require "net/http"

ISSUER = ENV.fetch("ISSUER")
AUDIENCE = ENV.fetch("AUDIENCE")

# Asymmetric ones only, and those that your issuer uses. Never what the token says.
ALGORITHMS = %w[ES256 RS256].freeze

# The issuer's keys: ruby-jwt fetches none by itself.
class Keys
  MAX_AGE = 300
  COOLDOWN = 30 # however many unknown keys somebody makes up

  # Called for each token, and once more when it has no key of the token's kid.
  def call(options)
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    at_most = options[:kid_not_found] ? COOLDOWN : MAX_AGE
    if @keys.nil? || now - @fetched > at_most
      set = JSON.parse(Net::HTTP.get(URI("#{ISSUER}/.well-known/jwks.json")), symbolize_names: true)
      # It raises an error for a kind of key that it does not know, where it should skip it.
      @keys = { keys: set[:keys].select { |key| %w[EC RSA].include?(key[:kty]) } }
      @fetched = now
    end
    @keys
  end
end

KEYS = Keys.new

# The claims of an access token for this API; raises JWT::DecodeError for anything else.
def verify(token)
  payload, header = JWT.decode(
    token, nil, true,
    algorithms: ALGORITHMS,
    jwks: KEYS.method(:call).to_proc,
    iss: ISSUER, verify_iss: true,
    aud: AUDIENCE, verify_aud: true,
    verify_iat: true,
    leeway: 10,
    # What must be there. Without this, a token without exp would be good for ever.
    required_claims: %w[iss sub aud exp iat jti client_id]
  )
  # RFC 9068: an ID token of the same issuer is not an access token, though all of the above holds.
  kind = header.fetch("typ", "").downcase.delete_prefix("application/")
  raise JWT::DecodeError, "typ is not at+jwt" unless kind == "at+jwt"

  payload
end

$stdout.sync = true
$stdin.each_line do |line|
  puts "accepted #{verify(line.strip)['sub']}"
rescue JWT::DecodeError => e
  # For your log. A client is told "invalid_token", and nothing more.
  puts "refused #{e.class} #{e.message}"
end
