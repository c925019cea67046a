package lambdaapi_test

import "github.com/aws/aws-sdk-go-v2/service/lambda/types"

func codeOf(zip []byte) *types.FunctionCode { return &types.FunctionCode{ZipFile: zip} }

func invocationType(s string) types.InvocationType { return types.InvocationType(s) }
