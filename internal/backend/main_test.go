package backend_test

import (
	"log"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(asBackend) != "" {
		log.Fatal(serveBackend())
	}
	goleak.VerifyTestMain(m)
}
