package example;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A resource server with the decoder of Spring Boot: what docs/other-languages/java must set is seen here. */
@SpringBootApplication
@RestController
public class Defaults {
  public static void main(String[] arguments) {
    SpringApplication.run(Defaults.class, arguments);
  }

  @GetMapping("/orders")
  String orders(@AuthenticationPrincipal Jwt token) {
    return token.getSubject();
  }
}
