package bus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// digestHeader carries the SHA-256 of the body in lower-case hexadecimal.
const digestHeader = "Openrs-Sha256"

// digestOf returns the digest of a body as it stands in the header.
func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// checkDigest compares a body with the digest it was published with. A message without a digest was
// not published by this package and is refused too.
func checkDigest(want string, body []byte) error {
	if want == "" {
		return fmt.Errorf("%w: no %s header on a body of %d bytes", ErrDigest, digestHeader, len(body))
	}
	if got := digestOf(body); got != want {
		return fmt.Errorf("%w: a body of %d bytes has sha-256 %s, published with %s", ErrDigest, len(body), got, want)
	}
	return nil
}
