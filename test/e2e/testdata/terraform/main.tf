# One app with every resource of the provider that a WebSocket API may have.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "revision" { type = string }
variable "region" { type = string }

# The revision "bare" takes away again whatever does not have to be there.
locals {
  bare = var.revision == "bare"
}

provider "aws" {
  region                  = var.region
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    apigateway   = var.endpoint
    apigatewayv2 = var.endpoint
    iam          = var.endpoint
    lambda       = var.endpoint
    sts          = var.endpoint
  }
  default_tags {
    tags = { made = "by terraform" }
  }
}

data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_partition" "here" {}

# The function, and what a deployment needs around it.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name                 = "terraform-function"
  description          = local.bare ? null : "What the function may do, ${var.revision}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  max_session_duration = 7200
  tags                 = local.bare ? null : { revision = var.revision }
}

resource "aws_iam_role_policy" "push" {
  name = "push"
  role = aws_iam_role.function.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "execute-api:ManageConnections", Resource = "${aws_apigatewayv2_api.chat.execution_arn}/*" }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.function.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "chat" {
  function_name    = "terraform-chat"
  description      = local.bare ? null : "Answers, ${var.revision}"
  role             = aws_iam_role.function.arn
  runtime          = "nodejs20.x"
  handler          = "index.handler"
  filename         = "${path.module}/${var.revision}.zip"
  source_code_hash = filebase64sha256("${path.module}/${var.revision}.zip")
  timeout          = 10
  memory_size      = 256
  publish          = true
  environment {
    variables = { REVISION = var.revision }
  }
  layers                         = []
  reserved_concurrent_executions = local.bare ? null : 5
  tags                           = local.bare ? null : { revision = var.revision }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What clients get"
  function_name    = aws_lambda_function.chat.function_name
  function_version = aws_lambda_function.chat.version
}

resource "aws_lambda_permission" "gateway" {
  statement_id  = "gateway"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.chat.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.chat.execution_arn}/*"
}

resource "aws_apigatewayv2_api" "chat" {
  name                         = "terraform"
  description                  = local.bare ? null : "Chat, ${var.revision}"
  protocol_type                = "WEBSOCKET"
  route_selection_expression   = "$request.body.action"
  api_key_selection_expression = "$request.header.x-api-key"
  version                      = local.bare ? null : var.revision
  tags                         = local.bare ? null : { revision = var.revision }
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                    = aws_apigatewayv2_api.chat.id
  integration_type          = "AWS_PROXY"
  integration_method        = "POST"
  integration_uri           = aws_lambda_alias.live.invoke_arn
  content_handling_strategy = "CONVERT_TO_TEXT" # the provider has no way to take it away again
  description               = local.bare ? null : "The function, ${var.revision}"
  timeout_milliseconds      = local.bare ? null : 12000
}

resource "aws_apigatewayv2_integration" "mock" {
  api_id                        = aws_apigatewayv2_api.chat.id
  integration_type              = "MOCK"
  template_selection_expression = "\\$default"
  passthrough_behavior          = "WHEN_NO_TEMPLATES"
  request_templates             = { "$default" = "{\"statusCode\": 200}" }
}

resource "aws_apigatewayv2_integration_response" "mock" {
  api_id                        = aws_apigatewayv2_api.chat.id
  integration_id                = aws_apigatewayv2_integration.mock.id
  integration_response_key      = "$default"
  template_selection_expression = "\\$default"
  response_templates            = { "$default" = "{\"mock\": \"${var.revision}\"}" }
}

resource "aws_apigatewayv2_integration" "backend" {
  api_id               = aws_apigatewayv2_api.chat.id
  integration_type     = "HTTP"
  integration_method   = "POST"
  integration_uri      = "http://backend.example.com/${var.revision}"
  connection_type      = "VPC_LINK"
  connection_id        = aws_api_gateway_vpc_link.backends.id
  credentials_arn      = local.bare ? null : aws_iam_role.function.arn
  passthrough_behavior = local.bare ? null : "NEVER"
  request_parameters   = local.bare ? null : { "integration.request.header.revision" = "'${var.revision}'", "integration.request.header.${var.revision}" = "'yes'" }
  request_templates    = local.bare ? null : { "$default" = "{}" }
}

resource "aws_apigatewayv2_authorizer" "token" {
  api_id           = aws_apigatewayv2_api.chat.id
  name             = "token"
  authorizer_type  = "REQUEST"
  authorizer_uri   = aws_lambda_function.chat.invoke_arn
  identity_sources = ["route.request.querystring.token"]
}

resource "aws_apigatewayv2_model" "message" {
  api_id       = aws_apigatewayv2_api.chat.id
  name         = "message"
  content_type = "application/json"
  description  = local.bare ? null : "A message, ${var.revision}"
  schema = jsonencode({
    "$schema"  = "http://json-schema.org/draft-04/schema#"
    type       = "object"
    required   = ["action"]
    properties = { action = { type = "string" } }
  })
}

resource "aws_apigatewayv2_route" "connect" {
  api_id             = aws_apigatewayv2_api.chat.id
  route_key          = "$connect"
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = local.bare ? null : "CUSTOM"
  authorizer_id      = local.bare ? null : aws_apigatewayv2_authorizer.token.id
  operation_name     = local.bare ? null : "connect"
  dynamic "request_parameter" {
    for_each = local.bare ? [] : ["room"]
    content {
      request_parameter_key = "route.request.querystring.${request_parameter.value}"
      required              = false
    }
  }
}

resource "aws_apigatewayv2_route" "default" {
  api_id                              = aws_apigatewayv2_api.chat.id
  route_key                           = "$default"
  target                              = "integrations/${aws_apigatewayv2_integration.function.id}"
  route_response_selection_expression = "$default"
}

resource "aws_apigatewayv2_route" "mock" {
  api_id                              = aws_apigatewayv2_api.chat.id
  route_key                           = "mock"
  target                              = "integrations/${aws_apigatewayv2_integration.mock.id}"
  route_response_selection_expression = "$default"
  model_selection_expression          = local.bare ? null : "$request.body.action"
  request_models                      = local.bare ? null : { mock = aws_apigatewayv2_model.message.name }
}

resource "aws_apigatewayv2_route_response" "answers" {
  for_each           = { default = aws_apigatewayv2_route.default.id, mock = aws_apigatewayv2_route.mock.id }
  api_id             = aws_apigatewayv2_api.chat.id
  route_id           = each.value
  route_response_key = "$default"
}

resource "aws_apigatewayv2_deployment" "chat" {
  api_id      = aws_apigatewayv2_api.chat.id
  description = local.bare ? null : "of ${var.revision}"
  triggers    = { revision = var.revision }
  depends_on = [
    aws_apigatewayv2_route.connect, aws_apigatewayv2_route.default, aws_apigatewayv2_route.mock,
    aws_apigatewayv2_route_response.answers, aws_apigatewayv2_integration_response.mock,
  ]
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_apigatewayv2_stage" "prod" {
  api_id          = aws_apigatewayv2_api.chat.id
  name            = "prod"
  description     = local.bare ? null : "What clients use, ${var.revision}"
  deployment_id   = aws_apigatewayv2_deployment.chat.id
  stage_variables = local.bare ? null : { revision = var.revision, other = "x" }
  dynamic "access_log_settings" {
    for_each = local.bare ? [] : ["$context.requestId"]
    content {
      destination_arn = "arn:aws:logs:${var.region}:123456789012:log-group:terraform"
      format          = access_log_settings.value
    }
  }
  dynamic "default_route_settings" {
    for_each = local.bare ? [] : ["INFO"]
    content {
      data_trace_enabled       = true
      detailed_metrics_enabled = true
      logging_level            = default_route_settings.value
      throttling_burst_limit   = 100
      throttling_rate_limit    = 50
    }
  }
  dynamic "route_settings" {
    for_each = local.bare ? [] : ["mock"]
    content {
      route_key              = route_settings.value
      throttling_burst_limit = 20
      throttling_rate_limit  = 10
    }
  }
  tags       = local.bare ? null : { revision = var.revision }
  depends_on = [aws_api_gateway_account.node]
}

resource "aws_apigatewayv2_stage" "latest" {
  api_id      = aws_apigatewayv2_api.chat.id
  name        = "latest"
  auto_deploy = true
}

resource "aws_apigatewayv2_domain_name" "chat" {
  domain_name = "chat.example.com"
  domain_name_configuration {
    certificate_arn = "arn:aws:acm:${var.region}:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
  tags = local.bare ? null : { revision = var.revision }
}

resource "aws_apigatewayv2_api_mapping" "chat" {
  api_id          = aws_apigatewayv2_api.chat.id
  domain_name     = aws_apigatewayv2_domain_name.chat.id
  stage           = aws_apigatewayv2_stage.prod.id
  api_mapping_key = local.bare ? null : var.revision
}

resource "aws_apigatewayv2_vpc_link" "inside" {
  name               = "inside-${var.revision}"
  security_group_ids = []
  subnet_ids         = ["subnet-1", "subnet-2"]
}

# What else a configuration asks for.
data "aws_apigatewayv2_api" "chat" { api_id = aws_apigatewayv2_api.chat.id }
data "aws_apigatewayv2_apis" "all" { depends_on = [aws_apigatewayv2_api.chat] }
data "aws_apigatewayv2_vpc_link" "inside" { vpc_link_id = aws_apigatewayv2_vpc_link.inside.id }
data "aws_lambda_function" "chat" { function_name = aws_lambda_function.chat.function_name }
data "aws_lambda_alias" "live" {
  function_name = aws_lambda_function.chat.function_name
  name          = aws_lambda_alias.live.name
}
data "aws_iam_role" "function" { name = aws_iam_role.function.name }
data "aws_iam_user" "backend" { user_name = aws_iam_user.backend.name }
data "aws_api_gateway_api_key" "partner" { id = aws_api_gateway_api_key.partner.id }
data "aws_api_gateway_vpc_link" "backends" {
  name       = "backends"
  depends_on = [aws_api_gateway_vpc_link.backends]
}

# Keys and plans are those of REST APIs.
resource "aws_api_gateway_account" "node" {
  cloudwatch_role_arn = aws_iam_role.function.arn
}

resource "aws_api_gateway_api_key" "partner" {
  name        = "partner"
  description = local.bare ? null : "For a partner, ${var.revision}"
  value       = "a-value-of-more-than-twenty-characters"
  tags        = local.bare ? null : { revision = var.revision }
}

resource "aws_api_gateway_usage_plan" "partners" {
  name        = "partners"
  description = local.bare ? null : "What partners may, ${var.revision}"
  api_stages {
    api_id = aws_apigatewayv2_api.chat.id
    stage  = aws_apigatewayv2_stage.prod.name
  }
  dynamic "quota_settings" {
    for_each = local.bare ? [] : ["MONTH"]
    content {
      limit  = 1000
      period = quota_settings.value
    }
  }
  dynamic "throttle_settings" {
    for_each = local.bare ? [] : [20]
    content {
      burst_limit = throttle_settings.value
      rate_limit  = 10
    }
  }
}

resource "aws_api_gateway_usage_plan_key" "partner" {
  key_id        = aws_api_gateway_api_key.partner.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.partners.id
}

resource "aws_api_gateway_vpc_link" "backends" {
  name        = "backends"
  description = local.bare ? null : "Backends, ${var.revision}"
  target_arns = ["arn:aws:elasticloadbalancing:${var.region}:123456789012:loadbalancer/net/backends/1234567890abcdef"]
}

# Who pushes from outside.
resource "aws_iam_user" "backend" {
  name = "terraform-backend"
  path = "/apps/"
  tags = local.bare ? null : { revision = var.revision }
}

resource "aws_iam_user_policy" "push" {
  name   = "push"
  user   = aws_iam_user.backend.name
  policy = aws_iam_role_policy.push.policy
}

resource "aws_iam_access_key" "backend" {
  user = aws_iam_user.backend.name
}

output "api_id" { value = aws_apigatewayv2_api.chat.id }
output "invoke_url" { value = aws_apigatewayv2_stage.prod.invoke_url }
output "account" { value = data.aws_caller_identity.me.account_id }
output "key_id" { value = aws_iam_access_key.backend.id }
output "key_secret" {
  value     = aws_iam_access_key.backend.secret
  sensitive = true
}
