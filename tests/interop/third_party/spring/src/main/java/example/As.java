package example;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.OAuth2TokenType;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;

/**
 * Spring Authorization Server as Boot configures it, with keys that can be replaced while it runs.
 * On port 9301, `/sign?ALG` makes the server sign with that algorithm from then on, and `/rotate`
 * puts a new key for the current algorithm in front of the others.
 */
@SpringBootApplication
public class As {
  private static volatile List<JWK> keys = List.of();
  private static volatile SignatureAlgorithm algorithm = SignatureAlgorithm.RS256;

  public static void main(String[] arguments) throws Exception {
    keys = List.of(newKey());
    SpringApplication.run(As.class, arguments);
    var control = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 9301), 0);
    control.createContext("/", exchange -> {
      var status = 200;
      try {
        var wanted = exchange.getRequestURI().getQuery();
        if (wanted != null) algorithm = SignatureAlgorithm.from(wanted);
        var replaced = new ArrayList<>(keys);
        replaced.add(0, newKey());
        keys = List.copyOf(replaced);
      } catch (Exception error) {
        error.printStackTrace();
        status = 500;
      }
      exchange.sendResponseHeaders(status, -1);
      exchange.close();
    });
    control.start();
  }

  /** Creates a key like Boot's own: with a `kid`, and neither `alg` nor `use`. */
  private static JWK newKey() throws JOSEException {
    var kid = UUID.randomUUID().toString();
    if (algorithm == SignatureAlgorithm.ES256) return new ECKeyGenerator(Curve.P_256).keyID(kid).generate();
    return new RSAKeyGenerator(2048).keyID(kid).generate();
  }

  @Bean
  JWKSource<SecurityContext> jwkSource() {
    return (selector, context) -> selector.select(new JWKSet(keys));
  }

  /** The newest key signs. The audience of access tokens is the API; by default, it is the client. */
  @Bean
  OAuth2TokenCustomizer<JwtEncodingContext> customizer() {
    return context -> {
      context.getJwsHeader().algorithm(algorithm).keyId(keys.get(0).getKeyID());
      if (OAuth2TokenType.ACCESS_TOKEN.equals(context.getTokenType())) {
        context.getClaims().audience(List.of("https://api.example"));
      }
    };
  }
}
