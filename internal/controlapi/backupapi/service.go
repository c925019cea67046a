// Package backupapi is Cleat's own API for backups of a running node: GET /_cleat/backup answers with an archive of all
// that it keeps. Requests are signed for the service "cleat"; policies name the action cleat:Backup and
// arn:{partition}:cleat:{region}:{account}:backup. What is in an archive is the node's business.
package backupapi

import (
	"context"
	"io"
	"net/http"

	"cleat/internal/controlapi"
)

// Service returns the API; write writes an archive.
func Service(write func(ctx context.Context, w io.Writer) error) controlapi.Service {
	return controlapi.Service{Name: "cleat", Operations: []controlapi.Operation{{
		Name: "Backup", Method: http.MethodGet, Path: "/_cleat/backup", Action: "cleat:Backup",
		Resource: func(c *controlapi.Call) string {
			return "arn:" + c.Partition + ":cleat:" + c.Region + ":" + c.Account + ":backup"
		},
		Changes: true, // it changes nothing, but who took all there is should be known
		Do: func(*controlapi.Call) (controlapi.Answer, error) {
			return controlapi.Answer{
				Status: http.StatusOK, Stream: write,
				Header: http.Header{"Content-Type": {"application/gzip"}, "Content-Disposition": {`attachment; filename="cleat-backup.tar.gz"`}},
			}, nil
		},
	}}}
}
