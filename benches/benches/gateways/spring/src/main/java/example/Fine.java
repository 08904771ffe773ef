package example;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtAudienceValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A resource server with the handler of the other measured servers. */
@SpringBootApplication
@RestController
public class Fine {
  public static void main(String[] arguments) {
    SpringApplication.run(Fine.class, arguments);
  }

  @GetMapping("/")
  String fine(@AuthenticationPrincipal Jwt token) {
    return "fine";
  }

  /** Boot's own decoder rejects {@code typ: at+jwt}. */
  @Bean
  JwtDecoder decoder(
      @Value("${KEYS}") String keys,
      @Value("${ISSUER}") String issuer,
      @Value("${AUDIENCE}") String audience) {
    var decoder = NimbusJwtDecoder.withJwkSetUri(keys)
        .jwsAlgorithm(SignatureAlgorithm.RS256)
        .validateType(false)
        .build();
    decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
        new JwtTimestampValidator(),
        new JwtIssuerValidator(issuer),
        new JwtAudienceValidator(audience)));
    return decoder;
  }
}
