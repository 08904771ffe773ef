package example;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.jwk.source.RateLimitReachedException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.net.MalformedURLException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A resource server of Spring Boot: each request needs an access token for this API. */
@SpringBootApplication
@RestController
public class Orders {
  public static void main(String[] arguments) {
    SpringApplication.run(Orders.class, arguments);
  }

  @GetMapping("/orders")
  String orders(@AuthenticationPrincipal Jwt token) {
    return token.getSubject();
  }

  /** Replaces Boot's decoder, which rejects {@code typ: at+jwt} and requires no claim. */
  @Bean
  JwtDecoder decoder(@Value("${ISSUER}") String issuer, @Value("${AUDIENCE}") String audience)
      throws MalformedURLException {
    var url = URI.create(issuer + "/.well-known/jwks.json").toURL();
    var keys = JWKSourceBuilder.create(url, new DefaultResourceRetriever(5_000, 5_000))
        .cache(300_000, 15_000)
        // Boot's decoder has no limit: it fetches for each token with an unknown kid.
        .rateLimited(30_000)
        .build();
    // Only asymmetric algorithms that your issuer uses. Never take them from the token.
    var algorithms = Set.of(JWSAlgorithm.ES256, JWSAlgorithm.RS256);
    var selector = new JWSVerificationKeySelector<SecurityContext>(algorithms, keys);

    var processor = new DefaultJWTProcessor<SecurityContext>();
    // RFC 9068: rejects an ID token of the same issuer, which passes all other checks.
    processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(
        new JOSEObjectType("at+jwt"), new JOSEObjectType("application/at+jwt")));
    processor.setJWSKeySelector((header, context) -> {
      try {
        return selector.selectJWSKeys(header, context);
      } catch (RateLimitReachedException limited) {
        return List.of(); // Rejects the token: the exception would be a 500.
      }
    });
    // The validator below checks the claims.
    processor.setJWTClaimsSetVerifier((claims, context) -> {});

    var decoder = new NimbusJwtDecoder(processor);
    decoder.setJwtValidator(JwtValidators.createAtJwtValidator()
        .issuer(issuer)
        .audience(audience)
        .validators(rules -> {
          // Any client may have got the token, but it must be named.
          rules.put("client_id", new JwtClaimValidator<>("client_id", Objects::nonNull));
          // Spring's own rule has a leeway of 60 s.
          var times = new JwtTimestampValidator(Duration.ofSeconds(10));
          rules.compute("exp", (name, rule) -> new DelegatingOAuth2TokenValidator<>(rule, times));
        })
        .build());
    return decoder;
  }
}
